// SPDX-License-Identifier: GPL-2.0-only

//! The system calls that neither `std` nor `nix` wraps: all unsafe code is here.

#![expect(unsafe_code)]

use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_long;
use std::ffi::c_short;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

use nix::errno::Errno;

mod raw {
    use super::c_int;

    const TUN: u8 = b'T';
    const INT: usize = size_of::<c_int>();

    nix::ioctl_write_ptr_bad!(
        set_iff,
        nix::request_code_write!(TUN, 202, INT),
        libc::ifreq
    );
    nix::ioctl_write_int_bad!(set_offload, nix::request_code_write!(TUN, 208, INT));
    nix::ioctl_write_ptr_bad!(
        set_vnet_hdr_size,
        nix::request_code_write!(TUN, 216, INT),
        c_int
    );
}

/// Makes an interface request that carries flags, as `TUNSETIFF` takes one.
///
/// # Errors
///
/// `ENAMETOOLONG` if `name` does not fit an interface's name.
fn request(name: &str, flags: c_int) -> io::Result<libc::ifreq> {
    // SAFETY: An `ifreq` is made of integers and pointers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };

    if name.len() >= request.ifr_name.len() {
        return Err(Errno::ENAMETOOLONG.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
    // There are 16 flags, and the uppermost is the sign.
    request.ifr_ifru.ifru_flags = flags as c_short;
    Ok(request)
}

/// `TUNSETIFF`: creates the interface `name`, or attaches `file` to it.
///
/// # Errors
///
/// Those of the call.
pub fn tun_set_iff(file: &File, name: &str, flags: c_int) -> io::Result<()> {
    let request = request(name, flags)?;

    // SAFETY: The call reads and writes one `ifreq`, which lives until it returns.
    unsafe { raw::set_iff(file.as_raw_fd(), &raw const request) }?;
    Ok(())
}

/// `TUNSETOFFLOAD`: what the program takes of checksums and segmentation.
///
/// # Errors
///
/// Those of the call.
pub fn tun_set_offload(file: &File, flags: c_int) -> io::Result<()> {
    // SAFETY: The call takes a number.
    unsafe { raw::set_offload(file.as_raw_fd(), flags) }?;
    Ok(())
}

/// `TUNSETVNETHDRSZ`: the size of the virtio-net header, in bytes.
///
/// # Errors
///
/// Those of the call.
pub fn tun_set_vnet_hdr_size(file: &File, size: c_int) -> io::Result<()> {
    // SAFETY: The call reads one `int`, which lives until it returns.
    unsafe { raw::set_vnet_hdr_size(file.as_raw_fd(), &raw const size) }?;
    Ok(())
}

/// Sets an option of a socket that is a plain number.
///
/// # Errors
///
/// Those of `setsockopt(2)`.
pub fn set_option(fd: &impl AsRawFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let size = size_of::<c_int>() as libc::socklen_t;

    // SAFETY: The call reads `size` bytes of `value`, which lives until it returns.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size) };
    Errno::result(result)?;
    Ok(())
}

/// Opens a raw packet socket that sends on the interface `index` and receives nothing.
///
/// # Errors
///
/// Those of `socket(2)` and `bind(2)`.
pub fn packet_socket(index: c_int) -> io::Result<OwnedFd> {
    // SAFETY: The call takes numbers.
    let fd = Errno::result(unsafe {
        libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0)
    })?;
    // SAFETY: The descriptor is new: nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: A `sockaddr_ll` is made of integers.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };

    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    address.sll_ifindex = index;
    let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: The call reads `size` bytes of `address`, which lives until it returns.
    Errno::result(unsafe { libc::bind(fd, (&raw const address).cast(), size) })?;
    Ok(socket)
}

/// A system call that does next to nothing.
pub fn getppid() -> c_long {
    // SAFETY: The call takes nothing and cannot fail. The C library's wrapper is not
    // used lest it remembers the result.
    unsafe { libc::syscall(libc::SYS_getppid) }
}
