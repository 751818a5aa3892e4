// SPDX-License-Identifier: GPL-2.0

//! Link kinds of rtnetlink.
//!
//! C header: [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use crate::bindings;
use crate::net::error::eopnotsupp;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::types::Opaque;

/// What `ip -d link` shows of a device.
pub(crate) trait LinkInfo: Driver {
    /// The link kind.
    const KIND: &'static CStr;
    /// What a request to create a device by rtnetlink is told.
    const NO_NEWLINK: &'static CStr;
    /// Attributes of one and of four bytes that [`Self::fill_info`] adds at most.
    const MAX_ATTRS: (usize, usize);

    /// Adds the device's attributes. Under RTNL or RCU.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` when the message is full.
    fn fill_info(dev: &NetDevice<Self>, attrs: &mut Attrs<'_>) -> Result;
}

/// A netlink message to which attributes are added.
pub(crate) struct Attrs<'a>(
    *mut bindings::sk_buff,
    PhantomData<&'a mut bindings::sk_buff>,
);

impl Attrs<'_> {
    /// Adds a byte.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` when the message is full.
    pub(crate) fn put_u8(&mut self, attr: u16, value: u8) -> Result {
        // SAFETY: The message is valid while this borrow of it lives.
        to_result(unsafe { bindings::rtun_nla_put_u8(self.0, i32::from(attr), value) })
    }

    /// Adds a word.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` when the message is full.
    pub(crate) fn put_u32(&mut self, attr: u16, value: u32) -> Result {
        // SAFETY: As above.
        to_result(unsafe { bindings::rtun_nla_put_u32(self.0, i32::from(attr), value) })
    }
}

/// The operations of a link kind, for a `static`.
pub(crate) struct LinkOps<T: Driver>(Opaque<bindings::rtnl_link_ops>, PhantomData<T>);

// SAFETY: rtnetlink guards what it changes in the table.
unsafe impl<T: Driver> Sync for LinkOps<T> {}

/// A registered link kind. Dropping it takes the kind back and deletes its devices.
pub(crate) struct Registration<T: Driver>(&'static LinkOps<T>);

impl<T: Driver> LinkOps<T> {
    /// The raw table, by which a device is known to be of this kind.
    pub(super) fn as_raw(&self) -> *mut bindings::rtnl_link_ops {
        self.0.get()
    }
}

impl<T: LinkInfo> LinkOps<T> {
    /// The operations that `T` describes.
    pub(crate) const fn new() -> Self {
        // SAFETY: All-zero is a table without operations.
        let mut ops: bindings::rtnl_link_ops = unsafe { MaybeUninit::zeroed().assume_init() };
        ops.kind = kernel::str::as_char_ptr_in_const_context(T::KIND);
        ops.setup = Some(Self::setup);
        ops.validate = Some(Self::validate);
        ops.get_size = Some(Self::get_size);
        ops.fill_info = Some(Self::fill_info);
        Self(Opaque::new(ops), PhantomData)
    }

    /// Makes the kind known. May sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` when there is such a kind already.
    pub(crate) fn register(&'static self) -> Result<Registration<T>> {
        // SAFETY: The table is static; the registration takes it back.
        to_result(unsafe { bindings::rtnl_link_register(self.as_raw()) })?;
        Ok(Registration(self))
    }

    /// rtnetlink wants it, and [`Self::validate`] sees to it that it is not used.
    ///
    /// # Safety
    ///
    /// None: it does nothing.
    unsafe extern "C" fn setup(_dev: *mut bindings::net_device) {}

    /// # Safety
    ///
    /// Called by rtnetlink.
    unsafe extern "C" fn validate(
        _tb: *mut *mut bindings::nlattr,
        _data: *mut *mut bindings::nlattr,
        extack: *mut bindings::netlink_ext_ack,
    ) -> kernel::ffi::c_int {
        // SAFETY: The message is static, and C checks `extack`.
        unsafe { bindings::rtun_nl_set_err_msg(extack, T::NO_NEWLINK.as_char_ptr()) };
        eopnotsupp().to_errno()
    }

    /// # Safety
    ///
    /// Called by rtnetlink.
    unsafe extern "C" fn get_size(_dev: *const bindings::net_device) -> usize {
        let (bytes, words) = T::MAX_ATTRS;
        // SAFETY: A computation.
        unsafe {
            bytes * bindings::rtun_nla_total_size(1) + words * bindings::rtun_nla_total_size(4)
        }
    }

    /// # Safety
    ///
    /// Called by rtnetlink with a device of this kind.
    unsafe extern "C" fn fill_info(
        skb: *mut bindings::sk_buff,
        dev: *const bindings::net_device,
    ) -> kernel::ffi::c_int {
        let mut attrs = Attrs(skb, PhantomData);
        // SAFETY: By the safety requirements.
        match T::fill_info(unsafe { NetDevice::from_raw(dev) }, &mut attrs) {
            Ok(()) => 0,
            Err(e) => e.to_errno(),
        }
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered in `LinkOps::register`.
        unsafe { bindings::rtnl_link_unregister(self.0.as_raw()) };
    }
}
