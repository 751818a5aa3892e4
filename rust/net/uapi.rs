// SPDX-License-Identifier: GPL-2.0

//! What the driver has beside `linux/if_tun.h`, as programs see it.
//!
//! C header: [`rust/uapi/rtun.h`](srctree/rust/uapi/rtun.h)

use crate::bindings;
use kernel::transmute::AsBytes;
use kernel::transmute::FromBytes;

pub(crate) use crate::bindings::rtun_batch as Batch;
pub(crate) use crate::bindings::rtun_frame as Frame;

/// Sets how packets are framed: [`Batch`].
pub(crate) const SETBATCH: u32 = bindings::RTUN_IOC_SETBATCH;
/// Gets it.
pub(crate) const GETBATCH: u32 = bindings::RTUN_IOC_GETBATCH;
/// Opens a socket.
pub(crate) const SOCKET: u32 = bindings::RTUN_IOC_SOCKET;
/// The flags for that.
pub(crate) const SOCKET_FLAGS: u32 = bindings::O_CLOEXEC | bindings::O_NONBLOCK;

/// Values of [`Batch::version`].
pub(crate) const BATCH_OFF: u16 = bindings::RTUN_BATCH_OFF as u16;
pub(crate) const BATCH_V1: u16 = bindings::RTUN_BATCH_V1 as u16;

/// What the size of a frame is a multiple of.
pub(crate) const FRAME_ALIGN: usize = bindings::RTUN_FRAME_ALIGN as usize;
/// In [`Frame::flags`]: the packet was cut.
pub(crate) const FRAME_CUT: u16 = bindings::RTUN_FRAME_CUT as u16;

// The format can not change any more.
const _: () = assert!(size_of::<Batch>() == 8);
const _: () = assert!(size_of::<Frame>() == 16);
const _: () = assert!(core::mem::offset_of!(Frame, len) == 4);
const _: () = assert!(core::mem::offset_of!(Frame, whole) == 8);
const _: () = assert!(core::mem::offset_of!(Frame, offset) == 12);
const _: () = assert!(core::mem::offset_of!(Frame, flags) == 14);

// SAFETY: Integers without padding between them.
unsafe impl FromBytes for Batch {}
// SAFETY: As above.
unsafe impl AsBytes for Batch {}
// SAFETY: As above.
unsafe impl FromBytes for Frame {}
// SAFETY: As above.
unsafe impl AsBytes for Frame {}
