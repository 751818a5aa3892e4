// SPDX-License-Identifier: GPL-2.0

//! Why TUNSETIFF or TUNSETQUEUE said no: one error number stands for several reasons, and the
//! trace event `rtun:rtun_refused` tells them apart.

use crate::net::trace;
use kernel::prelude::*;

/// The reason of a refusal.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    /// The file has a device already.
    AlreadyBound,
    /// IFF_NAPI_FRAGS is asked for by who is no administrator of the machine.
    NotFragsAdmin,
    /// IFF_NAPI_FRAGS is asked for without IFF_NAPI, or not for a TAP.
    FragsAlone,
    /// Neither IFF_TUN nor IFF_TAP is asked for, and there is no device.
    NoMode,
    /// The name is that of another driver's device.
    Foreign,
    /// The device was to be new and is not.
    Exists,
    /// The device is a TUN one and TAP was asked for, or the other way round.
    OtherMode,
    /// IFF_MULTI_QUEUE is not as the device has it.
    OtherMultiQueue,
    /// The caller may not make a device.
    NotAdmin,
    /// The caller may not attach to the device.
    NotOwner,
    /// A security module forbids it.
    Security(Error),
    /// The device's one queue is in use.
    SingleQueueTaken,
    /// All queues that the device can have are in use.
    TooManyQueues,
    /// The stack did not take the device.
    Unregistered(Error),
    /// Neither IFF_ATTACH_QUEUE nor IFF_DETACH_QUEUE is asked for.
    NoQueueCommand,
    /// Only a detached queue can be attached.
    NotDetached,
    /// Only an attached queue can be detached.
    NotAttached,
    /// The device can have one queue, which can not be detached.
    SingleQueue,
    /// Something that is not the caller's doing, such as no memory.
    Failed(Error),
}

impl Refusal {
    /// The error number.
    fn error(self) -> Error {
        match self {
            Self::AlreadyBound => EEXIST,
            Self::Exists | Self::SingleQueueTaken => EBUSY,
            Self::NotFragsAdmin | Self::NotAdmin | Self::NotOwner => EPERM,
            Self::TooManyQueues => E2BIG,
            Self::Security(e) | Self::Unregistered(e) | Self::Failed(e) => e,
            Self::FragsAlone
            | Self::NoMode
            | Self::Foreign
            | Self::OtherMode
            | Self::OtherMultiQueue
            | Self::NoQueueCommand
            | Self::NotDetached
            | Self::NotAttached
            | Self::SingleQueue => EINVAL,
        }
    }

    /// The reason in words.
    fn reason(self) -> &'static CStr {
        match self {
            Self::AlreadyBound => c"file has a device already",
            Self::NotFragsAdmin => c"no CAP_NET_ADMIN for IFF_NAPI_FRAGS",
            Self::FragsAlone => c"IFF_NAPI_FRAGS without IFF_NAPI and IFF_TAP",
            Self::NoMode => c"neither IFF_TUN nor IFF_TAP",
            Self::Foreign => c"device of another driver",
            Self::Exists => c"device exists and IFF_TUN_EXCL is set",
            Self::OtherMode => c"device has the other mode",
            Self::OtherMultiQueue => c"IFF_MULTI_QUEUE differs from the device",
            Self::NotAdmin => c"no CAP_NET_ADMIN to make a device",
            Self::NotOwner => c"not the owner or group and no CAP_NET_ADMIN",
            Self::Security(_) => c"security module",
            Self::SingleQueueTaken => c"the one queue is in use",
            Self::TooManyQueues => c"all queues are in use",
            Self::Unregistered(e) if e == EINVAL => c"bad name",
            Self::Unregistered(e) if e == EBUSY => c"index is in use",
            Self::Unregistered(_) => c"device not registered",
            Self::NoQueueCommand => c"neither IFF_ATTACH_QUEUE nor IFF_DETACH_QUEUE",
            Self::NotDetached => c"queue is not detached",
            Self::NotAttached => c"queue is not attached",
            Self::SingleQueue => c"device has one queue",
            Self::Failed(_) => c"failed",
        }
    }

    /// Makes the reason of an ioctl `cmd` for the interface `ifname` known, and gives the error
    /// number for the caller.
    pub(super) fn report(self, ifname: &[u8], cmd: u32) -> Error {
        trace::refused(ifname, cmd, self.reason(), self.error());
        self.error()
    }
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Self::Failed(e)
    }
}
