// SPDX-License-Identifier: GPL-2.0

//! References to the module itself.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::bindings;
use core::borrow::Borrow;

/// The module, as `owner` in a C structure.
pub(super) const fn this_module() -> *mut bindings::module {
    extern "C" {
        // Its type does not matter: only its address is used.
        static __this_module: [u8; 0];
    }

    // kbuild defines the symbol for every module.
    (&raw const __this_module).cast_mut().cast()
}

/// Keeps the module loaded.
pub(crate) struct ModuleRef(());

impl ModuleRef {
    /// Takes a reference. The caller runs in the module, so one exists already.
    pub(crate) fn get() -> Self {
        // SAFETY: The module is live: its code is being run on behalf of a reference.
        unsafe { bindings::__module_get(this_module()) };
        Self(())
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: `get` took the reference that is put here.
        unsafe { bindings::module_put(this_module()) };
    }
}

/// The value of a module parameter, which kernels before 7.3 give by reference.
pub(crate) fn param(value: impl Borrow<u32>) -> u32 {
    *value.borrow()
}
