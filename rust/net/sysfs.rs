// SPDX-License-Identifier: GPL-2.0

//! Attributes of a network device in sysfs.
//!
//! C headers: [`include/linux/device.h`](srctree/include/linux/device.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)
//!
//! The tables point to each other, so each is a `static` of the driver.

use crate::bindings;
use crate::net::netdevice::Driver;
use crate::net::netdevice::NetDevice;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;
use kernel::prelude::*;
use kernel::types::Opaque;

/// What an attribute says.
pub(crate) enum Value {
    /// A number, in hexadecimal with `0x`.
    Hex(u32),
    /// A number, in decimal.
    Decimal(u32),
    /// Nothing is set: `-1`.
    Unset,
}

/// A read-only attribute of a `T`.
pub(crate) trait Show<T: Driver> {
    /// The file's name.
    const NAME: &'static CStr;
    /// What it says now. May sleep.
    fn show(dev: &NetDevice<T>) -> Value;
}

/// An attribute's table, for a `static`.
#[repr(transparent)]
pub(crate) struct Attribute(Opaque<bindings::device_attribute>);

// SAFETY: The table is written only by the compiler, and by lockdep with its own locks.
unsafe impl Sync for Attribute {}

impl Attribute {
    /// The attribute `A` of a `T`.
    pub(crate) const fn new<T: Driver, A: Show<T>>() -> Self {
        // SAFETY: All-zero is a table without operations.
        let mut attr: bindings::device_attribute = unsafe { MaybeUninit::zeroed().assume_init() };
        attr.attr.name = kernel::str::as_char_ptr_in_const_context(A::NAME);
        attr.attr.mode = 0o444;
        attr.__bindgen_anon_1.show = Some(Callback::<T, A>::show);
        Self(Opaque::new(attr))
    }
}

/// Turns the C callback into that of `A`.
struct Callback<T, A>(PhantomData<(T, A)>);

impl<T: Driver, A: Show<T>> Callback<T, A> {
    /// # Safety
    ///
    /// Called by sysfs with the device of a network device of `T`, and a page.
    unsafe extern "C" fn show(
        dev: *mut bindings::device,
        _attr: *mut bindings::device_attribute,
        page: *mut kernel::ffi::c_char,
    ) -> isize {
        // SAFETY: By the safety requirements; sysfs keeps the device registered meanwhile.
        let dev = unsafe { NetDevice::<T>::from_raw(bindings::rtun_to_net_dev(dev)) };
        let value = A::show(dev);
        // SAFETY: `page` is sysfs' page.
        let len = unsafe {
            match value {
                Value::Hex(n) => bindings::rtun_sysfs_emit_hex(page, n),
                Value::Decimal(n) => bindings::rtun_sysfs_emit_decimal(page, i64::from(n)),
                Value::Unset => bindings::rtun_sysfs_emit_decimal(page, -1),
            }
        };
        len as isize
    }
}

/// A list of attributes, for a `static`; `N` is one more than there are.
pub(crate) struct List<const N: usize>([*const bindings::attribute; N]);

// SAFETY: The list is never written.
unsafe impl<const N: usize> Sync for List<N> {}

impl<const N: usize> List<N> {
    /// The list of `attrs`.
    pub(crate) const fn new<const M: usize>(attrs: [&'static Attribute; M]) -> Self {
        assert!(N == M + 1);
        let mut list = [ptr::null(); N];
        let mut i = 0;
        while i < M {
            // CAST: `struct attribute` is the first field of the transparent table.
            list[i] = ptr::from_ref(attrs[i]).cast();
            i += 1;
        }
        Self(list)
    }
}

/// A group of attributes, for a `static`.
pub(crate) struct Group(bindings::attribute_group);

// SAFETY: The table is never written.
unsafe impl Sync for Group {}

impl Group {
    /// The attributes of `list`, beside those that every network device has.
    pub(crate) const fn new<const N: usize>(list: &'static List<N>) -> Self {
        // SAFETY: All-zero is an empty group.
        let mut group: bindings::attribute_group = unsafe { MaybeUninit::zeroed().assume_init() };
        group.__bindgen_anon_2.attrs = list.0.as_ptr().cast_mut().cast();
        Self(group)
    }

    /// The raw table.
    pub(super) fn as_raw(&self) -> *const bindings::attribute_group {
        &self.0
    }
}
