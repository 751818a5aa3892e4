// SPDX-License-Identifier: GPL-2.0

//! A misc device each open file of which is a [`RingSock`].
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h)
//!
//! `kernel::miscdevice` has no poll, no fasync and no node name; this has.

use crate::bindings;
use crate::net::module::this_module;
use crate::net::poll::Events;
use crate::net::sock::RingSock;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::ffi::c_int;
use kernel::ffi::c_long;
use kernel::ffi::c_uint;
use kernel::ffi::c_ulong;
use kernel::iov::IovIterDest;
use kernel::iov::IovIterSource;
use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::sync::aref::ARef;
use kernel::types::Opaque;

/// An ioctl as the caller made it.
#[derive(Clone, Copy)]
pub(crate) struct Ioctl {
    /// The command.
    pub(crate) cmd: u32,
    /// The argument: a number or a user address.
    pub(crate) arg: usize,
    /// Whether a 32-bit program on a 64-bit kernel made it.
    pub(crate) compat: bool,
    /// Whether it was made on something that can be read and written.
    pub(crate) read_write: bool,
}

/// What the files of a device do.
pub(crate) trait CharDevice: Sized + Send + Sync + 'static {
    /// The device's name.
    const NAME: &'static CStr;
    /// The node's path below `/dev`.
    const NODE: &'static CStr;
    /// The node's minor number, or any.
    const MINOR: Option<u8>;
    /// The node's mode, before udev.
    const MODE: u16;

    /// A file is opened. May sleep.
    fn open() -> Result<ARef<RingSock<Self>>>;

    /// The last reference to an open file goes. May sleep.
    fn release(queue: ARef<RingSock<Self>>);

    /// Reads packets. Sleeps only if not `nonblock`.
    fn read(queue: &RingSock<Self>, nonblock: bool, to: &mut IovIterDest<'_>) -> Result<usize>;

    /// Writes packets. Waits for the buffer's room only if not `nonblock`; may sleep for memory.
    fn write(queue: &RingSock<Self>, nonblock: bool, from: &mut IovIterSource<'_>)
        -> Result<usize>;

    /// What is possible now; the caller waits on the queue's wait queue.
    fn poll(queue: &RingSock<Self>) -> Events;

    /// An ioctl, and what it says to the caller. May sleep.
    fn ioctl(queue: &RingSock<Self>, ioctl: Ioctl) -> Result<c_int>;

    /// The file's lines in `/proc/PID/fdinfo`.
    fn show_fdinfo(queue: &RingSock<Self>, m: &SeqFile);
}

/// A registered device. Dropping it takes the node away.
pub(crate) struct Registration<T: CharDevice> {
    misc: Pin<KBox<Opaque<bindings::miscdevice>>>,
    _device: PhantomData<T>,
}

// SAFETY: The structure is only touched by the misc core, under its lock.
unsafe impl<T: CharDevice> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: CharDevice> Sync for Registration<T> {}

impl<T: CharDevice> Registration<T> {
    /// Makes the node. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EBUSY` if the minor, or all of them, is taken.
    pub(crate) fn new() -> Result<Self> {
        // An open file points to it, and keeps the module, but not this registration.
        let fops: &'static bindings::file_operations = const { &Fops::<T>::TABLE };
        let misc = bindings::miscdevice {
            minor: T::MINOR.map_or(bindings::MISC_DYNAMIC_MINOR as i32, i32::from),
            name: T::NAME.as_char_ptr(),
            nodename: T::NODE.as_char_ptr(),
            mode: T::MODE,
            fops,
            ..Default::default()
        };
        let misc = KBox::pin(Opaque::new(misc), GFP_KERNEL)?;
        // SAFETY: The structure is pinned and stays until it is deregistered.
        to_result(unsafe { bindings::misc_register(misc.get()) })?;
        Ok(Self {
            misc,
            _device: PhantomData,
        })
    }
}

impl<T: CharDevice> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered in `new`.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

/// The queue that an open file is, if it is one of this module's node, whose files are the only
/// ones that it makes.
///
/// # Safety
///
/// `file` must be an open file and stay so for `'a`, and `T` the module's node.
pub(super) unsafe fn queue_of_file<'a, T: CharDevice>(
    file: *mut bindings::file,
) -> Option<&'a RingSock<T>> {
    // SAFETY: By the safety requirements.
    unsafe { ((*(*file).f_op).owner == this_module()).then(|| Fops::<T>::queue(file)) }
}

/// The file operations for `T`.
struct Fops<T: CharDevice>(PhantomData<T>);

impl<T: CharDevice> Fops<T> {
    const TABLE: bindings::file_operations = {
        // SAFETY: All-zero is a table without operations.
        let mut fops: bindings::file_operations = unsafe { MaybeUninit::zeroed().assume_init() };
        fops.owner = this_module();
        fops.open = Some(Self::open);
        fops.release = Some(Self::release);
        fops.read_iter = Some(Self::read_iter);
        fops.write_iter = Some(Self::write_iter);
        fops.poll = Some(Self::poll);
        fops.fasync = Some(Self::fasync);
        fops.unlocked_ioctl = Some(Self::ioctl);
        #[cfg(CONFIG_COMPAT)]
        {
            fops.compat_ioctl = Some(Self::compat_ioctl);
        }
        #[cfg(CONFIG_PROC_FS)]
        {
            fops.show_fdinfo = Some(Self::show_fdinfo);
        }
        fops
    };

    /// The file's queue.
    ///
    /// # Safety
    ///
    /// `file` must be an open file of this device and stay so for `'a`.
    unsafe fn queue<'a>(file: *mut bindings::file) -> &'a RingSock<T> {
        // SAFETY: `open` stored a reference that `release` takes back.
        unsafe { &*(*file).private_data.cast::<RingSock<T>>() }
    }

    /// # Safety
    ///
    /// Called by the VFS for a file that is being opened.
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        let queue = match T::open() {
            Ok(queue) => queue,
            Err(e) => return e.to_errno(),
        };
        // SAFETY: The file is being opened, so its fields are this function's to set.
        unsafe {
            queue.set_file(file);
            (*file).private_data = ARef::into_raw(queue).as_ptr().cast();
            bindings::rtun_file_set_nowait(file);
        }
        0
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device, once.
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open` stored the reference that is taken back here.
        let queue = unsafe {
            ARef::from_raw(NonNull::new_unchecked(
                (*file).private_data.cast::<RingSock<T>>(),
            ))
        };
        // SAFETY: The queue may live on, as a socket, without this file.
        unsafe { queue.set_file(core::ptr::null_mut()) };
        T::release(queue);
        0
    }

    /// Whether a file was opened for both.
    ///
    /// # Safety
    ///
    /// `file` must be valid.
    unsafe fn is_read_write(file: *const bindings::file) -> bool {
        // SAFETY: By the safety requirements. Nobody changes these two flags of an open file.
        unsafe { (*file).f_flags & bindings::O_ACCMODE == bindings::O_RDWR }
    }

    /// Whether the call must not wait.
    ///
    /// # Safety
    ///
    /// `kiocb` must be valid.
    unsafe fn nonblock(kiocb: *mut bindings::kiocb) -> bool {
        // SAFETY: By the safety requirements.
        unsafe {
            (*(*kiocb).ki_filp).f_flags & bindings::O_NONBLOCK != 0
                || (*kiocb).ki_flags & bindings::RTUN_IOCB_NOWAIT != 0
        }
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device.
    unsafe extern "C" fn read_iter(
        kiocb: *mut bindings::kiocb,
        iter: *mut bindings::iov_iter,
    ) -> isize {
        // SAFETY: By the safety requirements.
        let (queue, nonblock) = unsafe { (Self::queue((*kiocb).ki_filp), Self::nonblock(kiocb)) };
        // SAFETY: The VFS hands over a destination.
        let to = unsafe { IovIterDest::from_raw(iter.cast()) };
        match T::read(queue, nonblock, to) {
            Ok(len) => len as isize,
            Err(e) => e.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device.
    unsafe extern "C" fn write_iter(
        kiocb: *mut bindings::kiocb,
        iter: *mut bindings::iov_iter,
    ) -> isize {
        // SAFETY: By the safety requirements.
        let (queue, nonblock) = unsafe { (Self::queue((*kiocb).ki_filp), Self::nonblock(kiocb)) };
        // SAFETY: The VFS hands over a source.
        let from = unsafe { IovIterSource::from_raw(iter.cast()) };
        match T::write(queue, nonblock, from) {
            Ok(len) => len as isize,
            Err(e) => e.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: By the safety requirements. The wait queue is freed with the socket, which the
        // file keeps.
        let queue = unsafe {
            let queue = Self::queue(file);
            bindings::rtun_poll_wait(file, queue.wait_queue(), table);
            queue
        };
        T::poll(queue).into_raw()
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device.
    unsafe extern "C" fn fasync(fd: c_int, file: *mut bindings::file, on: c_int) -> c_int {
        // SAFETY: By the safety requirements.
        match unsafe { Self::queue(file).fasync().update(fd, file, on != 0) } {
            Ok(()) => 0,
            Err(e) => e.to_errno(),
        }
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        let ioctl = Ioctl {
            cmd,
            arg,
            compat: false,
            // SAFETY: By the safety requirements.
            read_write: unsafe { Self::is_read_write(file) },
        };
        // SAFETY: By the safety requirements.
        Self::do_ioctl(unsafe { Self::queue(file) }, ioctl)
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device.
    #[cfg(CONFIG_COMPAT)]
    unsafe extern "C" fn compat_ioctl(
        file: *mut bindings::file,
        cmd: c_uint,
        arg: c_ulong,
    ) -> c_long {
        // A 32-bit caller has 32-bit numbers and addresses.
        let ioctl = Ioctl {
            cmd,
            arg: arg as u32 as usize,
            compat: true,
            // SAFETY: By the safety requirements.
            read_write: unsafe { Self::is_read_write(file) },
        };
        // SAFETY: By the safety requirements.
        Self::do_ioctl(unsafe { Self::queue(file) }, ioctl)
    }

    fn do_ioctl(queue: &RingSock<T>, ioctl: Ioctl) -> c_long {
        match T::ioctl(queue, ioctl) {
            Ok(value) => value as c_long,
            Err(e) => e.to_errno() as c_long,
        }
    }

    /// # Safety
    ///
    /// Called by the VFS for an open file of this device.
    #[cfg(CONFIG_PROC_FS)]
    unsafe extern "C" fn show_fdinfo(m: *mut bindings::seq_file, file: *mut bindings::file) {
        // SAFETY: By the safety requirements.
        unsafe { T::show_fdinfo(Self::queue(file), SeqFile::from_raw(m.cast())) };
    }
}
