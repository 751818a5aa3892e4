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
use std::ptr;

use nix::errno::Errno;

/// Not known to libc; from `<linux/if_packet.h>`.
pub const PACKET_QDISC_BYPASS: c_int = 20;
/// As [`PACKET_QDISC_BYPASS`].
pub const PACKET_VNET_HDR_SZ: c_int = 24;

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
    nix::ioctl_write_ptr_bad!(
        set_queue,
        nix::request_code_write!(TUN, 217, INT),
        libc::ifreq
    );

    /// `struct rtun_batch` of `rust/uapi/rtun.h`.
    #[repr(C)]
    pub struct Batch {
        pub version: u16,
        pub newest: u16,
        pub flags: u32,
    }

    nix::ioctl_write_ptr!(set_batch, 0xd4, 1, Batch);
    nix::ioctl_write_int_bad!(socket, nix::request_code_none!(0xd4, 3));

    // <linux/vhost.h>

    /// `struct vhost_memory` with one region.
    #[repr(C)]
    pub struct Memory {
        pub regions: u32,
        pub padding: u32,
        pub guest_address: u64,
        pub size: u64,
        pub address: u64,
        pub flags: u64,
    }

    /// `struct vhost_vring_state`, and `struct vhost_vring_file` with a descriptor.
    #[repr(C)]
    pub struct RingState {
        pub index: u32,
        pub value: u32,
    }

    /// `struct vhost_vring_addr`.
    #[repr(C)]
    pub struct RingAddress {
        pub index: u32,
        pub flags: u32,
        pub descriptors: u64,
        pub used: u64,
        pub avail: u64,
        pub log: u64,
    }

    const VHOST: u8 = 0xaf;

    nix::ioctl_write_ptr!(vhost_set_features, VHOST, 0x00, u64);
    nix::ioctl_none!(vhost_set_owner, VHOST, 0x01);
    nix::ioctl_write_ptr_bad!(
        vhost_set_memory,
        nix::request_code_write!(VHOST, 0x03, 8),
        Memory
    );
    nix::ioctl_write_ptr!(vhost_set_ring_num, VHOST, 0x10, RingState);
    nix::ioctl_write_ptr!(vhost_set_ring_address, VHOST, 0x11, RingAddress);
    nix::ioctl_write_ptr!(vhost_set_ring_base, VHOST, 0x12, RingState);
    nix::ioctl_write_ptr!(vhost_set_ring_kick, VHOST, 0x20, RingState);
    nix::ioctl_write_ptr!(vhost_set_ring_call, VHOST, 0x21, RingState);
    nix::ioctl_write_ptr!(vhost_net_set_backend, VHOST, 0x30, RingState);
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

/// `TUNSETQUEUE`: attaches or detaches the queue of `file`.
///
/// # Errors
///
/// Those of the call.
pub fn tun_set_queue(file: &File, flags: c_int) -> io::Result<()> {
    let request = request("", flags)?;

    // SAFETY: The call reads one `ifreq`, which lives until it returns.
    unsafe { raw::set_queue(file.as_raw_fd(), &raw const request) }?;
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

/// `RTUN_SETBATCH`: lets each read and write of `file` carry many packets, in frames.
///
/// # Errors
///
/// Those of the call; `EINVAL` or `EBADFD` if the driver has no batches.
pub fn rtun_set_batch(file: &File) -> io::Result<()> {
    let batch = raw::Batch {
        version: 1,
        newest: 0,
        flags: 0,
    };

    // SAFETY: The call reads one `Batch`, which lives until it returns.
    unsafe { raw::set_batch(file.as_raw_fd(), &raw const batch) }?;
    Ok(())
}

/// `RTUN_SOCKET`: opens the queue of `file` as a socket.
///
/// # Errors
///
/// Those of the call; `EINVAL` or `EBADFD` if the driver has no such sockets.
pub fn rtun_socket(file: &File) -> io::Result<OwnedFd> {
    // SAFETY: The call takes a number.
    let fd = unsafe { raw::socket(file.as_raw_fd(), libc::O_CLOEXEC) }?;

    // SAFETY: The descriptor is new: nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes `vhost` over, with the guest's features, and lends it the `size` bytes at `address`,
/// which are where a guest would see them.
///
/// # Errors
///
/// Those of the calls.
pub fn vhost_start(vhost: &File, features: u64, address: u64, size: u64) -> io::Result<()> {
    let fd = vhost.as_raw_fd();
    let memory = raw::Memory {
        regions: 1,
        padding: 0,
        guest_address: address,
        size,
        address,
        flags: 0,
    };

    // SAFETY: The calls read what they are handed, which lives until they return. What
    // vhost-net does with the memory it does like a program's own calls: where nothing is
    // mapped, it fails.
    unsafe {
        raw::vhost_set_owner(fd)?;
        raw::vhost_set_features(fd, &raw const features)?;
        raw::vhost_set_memory(fd, &raw const memory)?;
    }
    Ok(())
}

/// A virtqueue, and what it is joined to.
pub struct Ring {
    /// Which one.
    pub index: u32,
    /// Descriptors.
    pub size: u32,
    /// Where they are.
    pub descriptors: u64,
    /// Where the ring of buffers that were given is.
    pub avail: u64,
    /// Where that of used ones is.
    pub used: u64,
    /// The eventfd that tells the device.
    pub kick: c_int,
    /// The one by which it tells.
    pub call: c_int,
    /// The queue of a tap.
    pub backend: c_int,
}

/// Sets a virtqueue up, and starts it.
///
/// # Errors
///
/// Those of the calls.
pub fn vhost_set_ring(vhost: &File, ring: &Ring) -> io::Result<()> {
    let fd = vhost.as_raw_fd();
    let state = |value| raw::RingState {
        index: ring.index,
        value,
    };
    let address = raw::RingAddress {
        index: ring.index,
        flags: 0,
        descriptors: ring.descriptors,
        used: ring.used,
        avail: ring.avail,
        log: 0,
    };

    // SAFETY: As in `vhost_start()`.
    unsafe {
        raw::vhost_set_ring_num(fd, &state(ring.size))?;
        raw::vhost_set_ring_base(fd, &state(0))?;
        raw::vhost_set_ring_address(fd, &raw const address)?;
        raw::vhost_set_ring_kick(fd, &state(ring.kick as u32))?;
        raw::vhost_set_ring_call(fd, &state(ring.call as u32))?;
        raw::vhost_net_set_backend(fd, &state(ring.backend as u32))?;
    }
    Ok(())
}

/// What an option of a socket may be made of: numbers without gaps.
///
/// # Safety
///
/// Every byte of a value must be initialised.
pub unsafe trait Plain: Copy {}

// SAFETY: A number has no gaps.
unsafe impl Plain for c_int {}
// SAFETY: A number has no gaps.
unsafe impl Plain for u32 {}
// SAFETY: It is seven numbers of the same size.
unsafe impl Plain for libc::tpacket_req3 {}
// SAFETY: It is two numbers of the same size.
unsafe impl Plain for libc::linger {}
// SAFETY: It is two numbers of eight bytes and four of four.
unsafe impl Plain for Umem {}

/// Sets an option of a socket.
///
/// # Errors
///
/// Those of `setsockopt(2)`.
pub fn set_option<T: Plain>(
    socket: &impl AsRawFd,
    level: c_int,
    name: c_int,
    value: T,
) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    let value = (&raw const value).cast();

    // SAFETY: The call reads `size` initialised bytes of a value that lives until it
    // returns.
    Errno::result(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, size) })?;
    Ok(())
}

/// Opens a raw packet socket that sends on the interface `index` and receives nothing.
///
/// # Errors
///
/// Those of `socket(2)` and `bind(2)`.
pub fn packet_socket(index: c_int) -> io::Result<OwnedFd> {
    packet_socket_of(index, 0)
}

/// Opens a raw packet socket on the interface `index` that receives packets of
/// `protocol`, or none if that is 0.
///
/// # Errors
///
/// Those of `socket(2)` and `bind(2)`.
pub fn packet_socket_of(index: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    let socket = socket(libc::AF_PACKET)?;
    // SAFETY: A `sockaddr_ll` is made of integers.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };

    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    address.sll_protocol = (protocol as u16).to_be();
    address.sll_ifindex = index;
    bind(&socket, &address)?;
    Ok(socket)
}

/// `struct xdp_umem_reg`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Umem {
    /// Where the memory begins.
    pub address: u64,
    /// Its bytes.
    pub size: u64,
    /// The bytes of a packet's place.
    pub chunk_size: u32,
    /// Those in front of a packet.
    pub headroom: u32,
    /// None yet.
    pub flags: u32,
    /// None here.
    pub tx_metadata: u32,
}

/// Opens an AF_XDP socket.
///
/// # Errors
///
/// Those of `socket(2)`.
pub fn xdp_socket() -> io::Result<OwnedFd> {
    socket(libc::AF_XDP)
}

/// `XDP_MMAP_OFFSETS`: where in its mappings the rings of a socket are.
///
/// # Errors
///
/// Those of `getsockopt(2)`.
pub fn xdp_offsets(socket: &OwnedFd) -> io::Result<libc::xdp_mmap_offsets> {
    // SAFETY: It is made of integers.
    let mut offsets: libc::xdp_mmap_offsets = unsafe { mem::zeroed() };
    let mut size = size_of_val(&offsets) as libc::socklen_t;
    let to = (&raw mut offsets).cast();

    // SAFETY: The call writes at most `size` bytes, which are those of `offsets`.
    Errno::result(unsafe {
        let fd = socket.as_raw_fd();
        libc::getsockopt(fd, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, to, &raw mut size)
    })?;
    Ok(offsets)
}

/// Binds an AF_XDP socket, in copy mode, to the first queue of the interface `index`.
///
/// # Errors
///
/// Those of `bind(2)`.
pub fn bind_xdp(socket: &OwnedFd, index: c_int) -> io::Result<()> {
    // SAFETY: A `sockaddr_xdp` is made of integers.
    let mut address: libc::sockaddr_xdp = unsafe { mem::zeroed() };

    address.sxdp_family = libc::AF_XDP as u16;
    address.sxdp_flags = libc::XDP_COPY;
    address.sxdp_ifindex = index as u32;
    bind(socket, &address)
}

fn socket(family: c_int) -> io::Result<OwnedFd> {
    // SAFETY: The call takes numbers.
    let fd = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    let fd = Errno::result(fd)?;

    // SAFETY: The descriptor is new: nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `T` is a structure that begins with an address family, as the family has it.
fn bind<T>(socket: &OwnedFd, address: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    let address = (&raw const *address).cast();

    // SAFETY: The call reads `size` bytes of a structure that lives until it returns.
    Errno::result(unsafe { libc::bind(socket.as_raw_fd(), address, size) })?;
    Ok(())
}

/// Lets the kernel send what is in a socket's ring.
///
/// # Errors
///
/// Those of `send(2)`.
pub fn kick(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: The call reads nothing.
    let sent = unsafe { libc::send(socket.as_raw_fd(), ptr::null(), 0, libc::MSG_DONTWAIT) };
    Errno::result(sent)?;
    Ok(())
}

/// The same, of a socket that sends but a few at a time and says so.
///
/// # Errors
///
/// Those of `send(2)`, but for those that ask for another call.
pub fn kick_again(socket: &OwnedFd) -> io::Result<()> {
    match kick(socket) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY)) => Ok(()),
        result => result,
    }
}

/// A system call that does next to nothing.
pub fn getppid() -> c_long {
    // SAFETY: The call takes nothing and cannot fail. The C library's wrapper is not
    // used lest it remembers the result.
    unsafe { libc::syscall(libc::SYS_getppid) }
}

/// The arguments of `bpf(2)` that are used here: the first words of `union bpf_attr`.
/// The kernel takes missing ones as zero.
#[repr(C)]
struct BpfProgram {
    kind: u32,
    instructions: u32,
    code: u64,
    licence: u64,
}

#[repr(C)]
struct BpfLink {
    program: u32,
    index: u32,
    kind: u32,
    flags: u32,
}

/// Loads an XDP program.
///
/// # Errors
///
/// Those of `bpf(2)`.
pub fn bpf_load_xdp(code: &[u64]) -> io::Result<OwnedFd> {
    const BPF_PROG_LOAD: c_int = 5;
    const BPF_PROG_TYPE_XDP: u32 = 6;
    let program = BpfProgram {
        kind: BPF_PROG_TYPE_XDP,
        instructions: code.len() as u32,
        code: code.as_ptr().addr() as u64,
        licence: c"GPL".as_ptr().addr() as u64,
    };

    // SAFETY: The call reads the code and the licence, which live until it returns.
    unsafe { bpf(BPF_PROG_LOAD, &program) }
}

/// Attaches an XDP program to the driver of the interface `index`, until the
/// descriptor is closed.
///
/// # Errors
///
/// Those of `bpf(2)`: `EOPNOTSUPP` if the driver does not run programs itself.
pub fn bpf_link_xdp(program: &OwnedFd, index: c_int) -> io::Result<OwnedFd> {
    const BPF_LINK_CREATE: c_int = 28;
    const BPF_XDP: u32 = 37;
    const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
    let link = BpfLink {
        program: program.as_raw_fd() as u32,
        index: index as u32,
        kind: BPF_XDP,
        flags: XDP_FLAGS_DRV_MODE,
    };

    // SAFETY: The arguments have no pointer.
    unsafe { bpf(BPF_LINK_CREATE, &link) }
}

/// Calls `bpf(2)` for a descriptor.
///
/// # Safety
///
/// `arguments` must be what `command` takes, and its pointers must be valid.
unsafe fn bpf<T>(command: c_int, arguments: &T) -> io::Result<OwnedFd> {
    // SAFETY: By what the caller promises.
    let fd = unsafe { bpf_call(command, arguments) }?;

    // SAFETY: The descriptor is new: nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// The words of `union bpf_attr` that make a map.
#[repr(C)]
struct BpfMap {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
}

/// The words of `union bpf_attr` that set a map's entry.
#[repr(C)]
struct BpfEntry {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Makes a map with one entry, the AF_XDP socket `socket`.
///
/// # Errors
///
/// Those of `bpf(2)`.
pub fn bpf_socket_map(socket: c_int) -> io::Result<OwnedFd> {
    const BPF_MAP_CREATE: c_int = 0;
    const BPF_MAP_UPDATE_ELEM: c_int = 2;
    const BPF_MAP_TYPE_XSKMAP: u32 = 17;
    let shape = BpfMap {
        kind: BPF_MAP_TYPE_XSKMAP,
        key_size: 4,
        value_size: 4,
        entries: 1,
    };

    // SAFETY: The arguments have no pointer.
    let map = unsafe { bpf(BPF_MAP_CREATE, &shape) }?;
    let key = 0_u32;
    let entry = BpfEntry {
        map: map.as_raw_fd() as u32,
        padding: 0,
        key: (&raw const key).addr() as u64,
        value: (&raw const socket).addr() as u64,
        flags: 0,
    };
    // SAFETY: The call reads key and value, four bytes each, which live until it returns.
    unsafe { bpf_call(BPF_MAP_UPDATE_ELEM, &entry) }?;
    Ok(map)
}

/// Calls `bpf(2)`.
///
/// # Safety
///
/// As for [`bpf`].
unsafe fn bpf_call<T>(command: c_int, arguments: &T) -> io::Result<c_long> {
    let size = size_of::<T>();

    // SAFETY: The caller promises that the command takes these; the size is theirs.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *arguments, size) };
    Ok(Errno::result(result)?)
}
