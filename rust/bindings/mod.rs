// SPDX-License-Identifier: GPL-2.0

//! What bindgen made of `bindings_helper.h`, for [`crate::net`] only.
//!
//! `kernel::bindings` has most of the networking types as opaque stubs, so the module brings its
//! own. A type that both have is the same C type: a pointer to one may be cast to the other.

#![allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]

use kernel::ffi;

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(env!("RTUN_BINDINGS"));

/// bindgen can lose a member of a structure without a word.
macro_rules! assert_sizes {
    ($($of_c:ident == $of_rust:ty),* $(,)?) => {
        $(const _: () = assert!($of_c == core::mem::size_of::<$of_rust>());)*
    };
}

assert_sizes! {
    RTUN_SIZEOF_attribute_group == attribute_group,
    RTUN_SIZEOF_bpf_net_context == bpf_net_context,
    RTUN_SIZEOF_device_attribute == device_attribute,
    RTUN_SIZEOF_ethtool_link_ksettings == ethtool_link_ksettings,
    RTUN_SIZEOF_ethtool_ops == ethtool_ops,
    RTUN_SIZEOF_file_operations == file_operations,
    RTUN_SIZEOF_miscdevice == miscdevice,
    RTUN_SIZEOF_msghdr == msghdr,
    RTUN_SIZEOF_napi_struct == napi_struct,
    RTUN_SIZEOF_net_device == net_device,
    RTUN_SIZEOF_net_device_ops == net_device_ops,
    RTUN_SIZEOF_netdev_bpf == netdev_bpf,
    RTUN_SIZEOF_netdev_queue_stats_rx == netdev_queue_stats_rx,
    RTUN_SIZEOF_netdev_queue_stats_tx == netdev_queue_stats_tx,
    RTUN_SIZEOF_netdev_stat_ops == netdev_stat_ops,
    RTUN_SIZEOF_notifier_block == notifier_block,
    RTUN_SIZEOF_proto == proto,
    RTUN_SIZEOF_proto_ops == proto_ops,
    RTUN_SIZEOF_ptr_ring == ptr_ring,
    RTUN_SIZEOF_rtnl_link_ops == rtnl_link_ops,
    RTUN_SIZEOF_sk_buff == sk_buff,
    RTUN_SIZEOF_sock == sock,
    RTUN_SIZEOF_socket == socket,
    RTUN_SIZEOF_tun_msg_ctl == tun_msg_ctl,
    RTUN_SIZEOF_wait_queue_entry == wait_queue_entry,
    RTUN_SIZEOF_xdp_buff == xdp_buff,
    RTUN_SIZEOF_xdp_frame == xdp_frame,
    RTUN_SIZEOF_xdp_rxq_info == xdp_rxq_info,
}
