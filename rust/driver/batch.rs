// SPDX-License-Identifier: GPL-2.0

//! Several packets in one read() or write() (RTUN_SETBATCH): each is in a frame.
//!
//! The format is `Documentation/batch.md`, and `rust/uapi/rtun.h` for programs.

mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;

use crate::net::error::eopnotsupp;
use crate::net::uapi;
use crate::net::uapi::Frame;
use kernel::prelude::*;

/// Most packets that are handled at once.
const MOST: usize = 64;

/// Bytes of a frame before its packet.
const HEADER: usize = size_of::<Frame>();

/// What a read() or write() of a file carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One packet.
    Single,
    /// Packets in frames.
    Packed,
}

impl Framing {
    /// The inverse of [`Self::into_bits`].
    #[inline]
    pub(super) fn from_bits(bits: u32) -> Self {
        if bits == 0 {
            Self::Single
        } else {
            Self::Packed
        }
    }

    /// As one word, for a cell that is read without a lock.
    pub(super) fn into_bits(self) -> u32 {
        match self {
            Self::Single => 0,
            Self::Packed => 1,
        }
    }

    /// The argument of RTUN_GETBATCH.
    pub(super) fn describe(self) -> uapi::Batch {
        uapi::Batch {
            version: match self {
                Self::Single => uapi::BATCH_OFF,
                Self::Packed => uapi::BATCH_V1,
            },
            newest: uapi::BATCH_V1,
            flags: 0,
        }
    }

    /// What the argument of RTUN_SETBATCH asks for.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` for an unknown version or flag.
    pub(super) fn parse(request: &uapi::Batch) -> Result<Self> {
        match (request.version, request.flags) {
            (uapi::BATCH_OFF, 0) => Ok(Self::Single),
            (uapi::BATCH_V1, 0) => Ok(Self::Packed),
            _ => Err(eopnotsupp()),
        }
    }
}
