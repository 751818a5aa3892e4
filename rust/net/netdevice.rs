// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//!
//! A device is made by [`NetDevice::alloc`], configured as an [`Unregistered`] one, and handed to
//! the stack by [`Unregistered::register`]. The callbacks are in [`ops`].

use crate::bindings;
use crate::net::ifreq::IFNAMSIZ;
use crate::net::netns::Net;
use crate::net::rtnl::Rtnl;
use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr;
use core::ptr::NonNull;
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::aref::AlwaysRefCounted;
use kernel::sync::rcu;
use kernel::types::Opaque;

mod address;
mod features;
mod ops;
mod stats;
mod timer;

pub(crate) use address::SockAddr;
pub(crate) use features::Features;
pub(crate) use ops::Driver;
pub(crate) use ops::TxStatus;
pub(crate) use stats::PerCpuTraffic;
pub(crate) use stats::QueueStats;

/// What a device's frames begin with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// A bare network-layer packet on a point-to-point link.
    PointToPoint,
    /// An Ethernet header.
    Ethernet,
}

/// The driver's data, in the device's own allocation.
///
/// # Invariants
///
/// `timer` and `data` are initialised while `live` is set.
#[repr(C)]
struct Private<T> {
    // First, so that the timer is found in a device without knowing `T`.
    timer: Opaque<bindings::timer_list>,
    live: Cell<bool>,
    data: ManuallyDrop<T>,
}

/// A network device of the driver `T`, to whose data it dereferences.
///
/// # Invariants
///
/// The device was made by [`NetDevice::alloc`], and its private data is a live [`Private<T>`] for
/// as long as there is a reference.
#[repr(transparent)]
pub(crate) struct NetDevice<T: Driver> {
    dev: Opaque<bindings::net_device>,
    _driver: PhantomData<T>,
}

// SAFETY: The stack's locks guard the C part, and `T` is `Send`.
unsafe impl<T: Driver> Send for NetDevice<T> {}
// SAFETY: As above, and `T` is `Sync`.
unsafe impl<T: Driver> Sync for NetDevice<T> {}

// SAFETY: The device's own reference count keeps it: `netdev_run_todo()` waits for it.
unsafe impl<T: Driver> AlwaysRefCounted for NetDevice<T> {
    fn inc_ref(&self) {
        // SAFETY: A shared reference means that the count is not zero.
        unsafe { bindings::rtun_dev_hold(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference.
        unsafe { bindings::rtun_dev_put(obj.as_ptr().cast()) };
    }
}

/// Drops the driver's data, once.
///
/// # Safety
///
/// `dev` must have been made by `NetDevice::<T>::alloc`, and nobody may use its data any more.
unsafe fn drop_private<T: Driver>(dev: *mut bindings::net_device) {
    // SAFETY: By the safety requirements.
    unsafe {
        let private = bindings::rtun_netdev_priv(dev).cast::<Private<T>>();
        if (*private).live.replace(false) {
            bindings::timer_shutdown_sync((*private).timer.get());
            ManuallyDrop::drop(&mut (*private).data);
        }
    }
}

/// `priv_destructor`: also called by `register_netdevice()` upon some of its failures.
///
/// # Safety
///
/// As [`drop_private`].
unsafe extern "C" fn priv_destructor<T: Driver>(dev: *mut bindings::net_device) {
    // SAFETY: The stack calls this when nobody refers to the device any more.
    unsafe { drop_private::<T>(dev) };
}

/// The `setup` callback of the allocation. What a device needs is set after it, but a length must
/// be there now, or the device gets no qdisc.
///
/// # Safety
///
/// Called by the allocation with a new device.
unsafe extern "C" fn setup(dev: *mut bindings::net_device) {
    // SAFETY: By the safety requirements.
    unsafe { (*dev).tx_queue_len = 1 };
}

/// How a new device is made.
pub(crate) struct Config<'a> {
    /// Its namespace.
    pub(crate) net: &'a Net,
    /// Its name, without NUL; `%d` stands for the first free number.
    pub(crate) name: &'a [u8],
    /// Its frames.
    pub(crate) link: Link,
    /// The most transmit and receive queues that it can have.
    pub(crate) max_queues: u32,
    /// Its index, or 0 for any.
    pub(crate) ifindex: i32,
    /// Its `txqueuelen`, in packets.
    pub(crate) tx_queue_len: u32,
}

/// The smallest and the largest MTU, in bytes; a link header counts.
const MIN_MTU: u32 = 68;
const MAX_MTU: u32 = 65535;

/// The least and the most room in front of a packet that a device asks for, in bytes.
pub(crate) const MIN_HEADROOM: u32 = bindings::RTUN_NET_SKB_PAD as u32;
pub(crate) const MAX_HEADROOM: u32 = {
    let page = bindings::RTUN_SKB_MAX_HEAD as u32;
    let limit = u16::MAX as u32 - 1;
    if page < limit {
        page
    } else {
        limit
    }
};

/// Bytes of an Ethernet header, and what is before it so that the next one is aligned.
pub(crate) const LINK_HEADROOM: u32 = bindings::ETH_HLEN + bindings::RTUN_NET_IP_ALIGN as u32;

/// A device that the stack does not know yet.
pub(crate) struct Unregistered<T: Driver>(NonNull<NetDevice<T>>);

impl<T: Driver> Deref for Unregistered<T> {
    type Target = NetDevice<T>;

    fn deref(&self) -> &NetDevice<T> {
        // SAFETY: The device is valid until it is registered or dropped.
        unsafe { self.0.as_ref() }
    }
}

impl<T: Driver> Drop for Unregistered<T> {
    fn drop(&mut self) {
        let dev = self.as_raw();
        // SAFETY: The stack gave the device back or never had it. If it is unregistering, its
        // end waits for references and calls the destructor, and free_netdev() only asks for the
        // memory to be freed then. Else there is one reference, that of the allocation.
        unsafe {
            let state = bindings::rtun_dev_reg_state(dev);
            if state != bindings::netdev_reg_state_NETREG_UNREGISTERING {
                if bindings::netdev_refcnt_read(dev) != 1 {
                    pr_err!("a device that was not registered is in use, and not freed\n");
                    return;
                }
                drop_private::<T>(dev);
            }
            bindings::free_netdev(dev);
        }
    }
}

impl<T: Driver> Unregistered<T> {
    /// Hands the device to the stack. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `register_netdevice()`: `EEXIST`, `EINVAL` for a bad name, `ENFILE` for no free
    /// number, `EBUSY` for a taken index, `ENOMEM`, or what a notifier said.
    pub(crate) fn register(self, _rtnl: &mut Rtnl) -> Result<ARef<NetDevice<T>>> {
        let dev = self.as_raw();
        // SAFETY: RTNL is held and the device is whole.
        to_result(unsafe { bindings::register_netdevice(dev) })?;
        let this = ManuallyDrop::new(self);
        // SAFETY: The stack owns the device now and frees it after its last reference.
        Ok(unsafe { this.0.as_ref() }.into())
    }
}

/// What a name stands for.
pub(crate) enum Found<T: Driver> {
    /// No device has it.
    Nothing,
    /// A device of this driver.
    Ours(ARef<NetDevice<T>>),
    /// A device of another driver.
    Foreign,
}

impl<T: Driver> NetDevice<T> {
    /// Makes a device. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a name that is too long, `ENOMEM`.
    pub(crate) fn alloc(config: &Config<'_>, data: T) -> Result<Unregistered<T>> {
        const {
            assert!(align_of::<Private<T>>() <= bindings::RTUN_SMP_CACHE_BYTES);
        }
        if config.name.len() >= IFNAMSIZ || config.name.contains(&0) {
            return Err(EINVAL);
        }
        let mut name = [0u8; IFNAMSIZ];
        name[..config.name.len()].copy_from_slice(config.name);
        // SAFETY: The name is shorter than IFNAMSIZ and ends with NUL.
        let dev = unsafe {
            bindings::alloc_netdev_mqs(
                size_of::<Private<T>>() as i32,
                name.as_ptr().cast(),
                bindings::NET_NAME_UNKNOWN as u8,
                Some(setup),
                config.max_queues,
                config.max_queues,
            )
        };
        let dev = NonNull::new(dev).ok_or(ENOMEM)?;
        // SAFETY: The device is new, and its private area is as large and aligned as asked for.
        unsafe {
            let private = bindings::rtun_netdev_priv(dev.as_ptr()).cast::<Private<T>>();
            private.write(Private {
                timer: Opaque::uninit(),
                live: Cell::new(true),
                data: ManuallyDrop::new(data),
            });
            bindings::rtun_timer_setup((*private).timer.get(), Some(timer::expired::<T>));
            Self::configure(dev.as_ptr(), config);
        }
        // INVARIANT: The private data was just written.
        Ok(Unregistered(dev.cast()))
    }

    /// Sets what the stack reads from a device.
    ///
    /// # Safety
    ///
    /// `dev` must be a new, unregistered device.
    unsafe fn configure(dev: *mut bindings::net_device, config: &Config<'_>) {
        // SAFETY: By the safety requirements, nobody else has the device.
        unsafe {
            match config.link {
                Link::PointToPoint => {
                    (*dev).header_ops = &raw const bindings::ip_tunnel_header_ops;
                    (*dev).mtu = 1500;
                    (*dev).type_ = bindings::ARPHRD_NONE as u16;
                    (*dev).flags = bindings::net_device_flags_IFF_POINTOPOINT
                        | bindings::net_device_flags_IFF_NOARP
                        | bindings::net_device_flags_IFF_MULTICAST;
                }
                Link::Ethernet => {
                    bindings::ether_setup(dev);
                    bindings::rtun_tap_priv_flags(dev);
                    bindings::rtun_eth_hw_addr_random(dev);
                    (*dev).xdp_features = bindings::netdev_xdp_act_NETDEV_XDP_ACT_BASIC
                        | bindings::netdev_xdp_act_NETDEV_XDP_ACT_REDIRECT
                        | bindings::netdev_xdp_act_NETDEV_XDP_ACT_NDO_XMIT;
                }
            }
            (*dev).netdev_ops = ops::Adapter::<T>::table(config.link);
            (*dev).stat_ops = ops::Adapter::<T>::stat_table();
            (*dev).ethtool_ops = T::ethtool_ops().as_raw();
            (*dev).rtnl_link_ops = T::link_ops().as_raw();
            (*dev).min_mtu = MIN_MTU;
            (*dev).max_mtu = MAX_MTU - u32::from((*dev).hard_header_len);
            (*dev).tx_queue_len = config.tx_queue_len;
            // Of those allocated, the stack is to count and show one.
            (*dev).real_num_tx_queues = 1;
            (*dev).real_num_rx_queues = 1;
            (*dev).ifindex = config.ifindex;
            (*dev).needs_free_netdev = true;
            (*dev).priv_destructor = Some(priv_destructor::<T>);
            bindings::rtun_dev_net_set(dev, config.net.as_raw());
            bindings::rtun_dev_set_software(dev, T::OFFLOADS.into_raw());
            bindings::rtun_dev_set_sysfs_group(dev, T::sysfs_group().as_raw());
        }
    }

    /// Borrows a C device.
    ///
    /// # Safety
    ///
    /// `dev` must be a device of this driver and stay valid for `'a`.
    pub(super) unsafe fn from_raw<'a>(dev: *const bindings::net_device) -> &'a Self {
        // SAFETY: The type is transparent, and the caller guarantees validity.
        unsafe { &*dev.cast() }
    }

    /// Borrows a C device if it is one of this driver.
    ///
    /// # Safety
    ///
    /// `dev` must stay valid for `'a`.
    pub(super) unsafe fn try_from_raw<'a>(dev: *mut bindings::net_device) -> Option<&'a Self> {
        // SAFETY: The device is valid. Only this driver uses its link operations, and it sets them
        // in `configure`, after the private data.
        unsafe { ((*dev).rtnl_link_ops == T::link_ops().as_raw()).then(|| Self::from_raw(dev)) }
    }

    /// The raw pointer.
    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::net_device {
        self.dev.get()
    }

    /// Looks a name up in a namespace.
    pub(crate) fn find(net: &Net, name: &[u8], _rtnl: &Rtnl) -> Found<T> {
        let mut buf = [0u8; IFNAMSIZ];
        if name.len() >= IFNAMSIZ {
            return Found::Nothing;
        }
        buf[..name.len()].copy_from_slice(name);
        // SAFETY: RTNL is held, and the name ends with NUL.
        let dev = unsafe { bindings::__dev_get_by_name(net.as_raw(), buf.as_ptr().cast()) };
        if dev.is_null() {
            return Found::Nothing;
        }
        // SAFETY: RTNL keeps the device.
        match unsafe { Self::try_from_raw(dev) } {
            Some(dev) => Found::Ours(dev.into()),
            None => Found::Foreign,
        }
    }

    /// The name, with its NUL. It can change unless RTNL is held.
    pub(crate) fn name(&self, _rtnl: &Rtnl) -> [u8; IFNAMSIZ] {
        let mut name = [0u8; IFNAMSIZ];
        // SAFETY: RTNL keeps the name, which has IFNAMSIZ bytes.
        unsafe { bindings::rtun_dev_copy_name(self.as_raw(), name.as_mut_ptr().cast()) };
        name
    }

    /// The namespace in which the device is now.
    pub(crate) fn net<'a>(&'a self, _rtnl: &'a Rtnl) -> &'a Net {
        // SAFETY: RTNL keeps the device in its namespace, and that alive.
        unsafe { Net::from_raw(bindings::rtun_dev_net(self.as_raw())) }
    }

    /// Whether the interface is up (`IFF_UP`). Any context; it can change at once.
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        // SAFETY: A racy read of a word, as in C.
        let flags = unsafe { (&raw const (*self.as_raw()).flags).read_volatile() };
        flags & bindings::net_device_flags_IFF_UP != 0
    }

    /// Whether the device is registered, and not on its way out.
    pub(crate) fn is_registered(&self) -> bool {
        // SAFETY: The device is valid.
        let state = unsafe { bindings::rtun_dev_reg_state(self.as_raw()) };
        state == bindings::netdev_reg_state_NETREG_REGISTERED
    }

    /// The `txqueuelen`, in packets.
    pub(crate) fn tx_queue_len(&self) -> u32 {
        // SAFETY: A racy read of a word, as in C.
        unsafe { (&raw const (*self.as_raw()).tx_queue_len).read_volatile() }
    }

    /// Says that there is, or is not, somebody at the other end. Any context.
    pub(crate) fn set_carrier(&self, on: bool) {
        // SAFETY: The device is valid.
        unsafe {
            if on {
                bindings::netif_carrier_on(self.as_raw());
            } else {
                bindings::netif_carrier_off(self.as_raw());
            }
        }
    }

    /// How many transmit queues are in use, as far as the stack knows.
    pub(crate) fn real_num_queues(&self, _rtnl: &Rtnl) -> u32 {
        // SAFETY: RTNL keeps the number.
        unsafe { (*self.as_raw()).real_num_tx_queues }
    }

    /// Whether the stack knows of one transmit queue only. Any context; it can change at once.
    #[inline]
    pub(crate) fn has_one_queue(&self) -> bool {
        // SAFETY: A racy read of a word, as in C.
        unsafe { (&raw const (*self.as_raw()).real_num_tx_queues).read_volatile() == 1 }
    }

    /// Sets how many transmit and receive queues are in use, at least one. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; then both stay as they were.
    pub(crate) fn set_real_num_queues(&self, n: u32, _rtnl: &mut Rtnl) -> Result {
        // SAFETY: RTNL is held.
        to_result(unsafe { bindings::netif_set_real_num_queues(self.as_raw(), n, n) })
    }

    /// Tells user space and notifiers that something about the device changed. May sleep.
    pub(crate) fn state_change(&self, _rtnl: &mut Rtnl) {
        // SAFETY: RTNL is held.
        unsafe { bindings::netdev_state_change(self.as_raw()) };
    }

    /// As [`Self::state_change`], but by the stack's own worker: within a second, and once for all
    /// that changed by then. Any context.
    pub(crate) fn state_change_soon(&self) {
        // Nobody is told of one that is down.
        if self.is_up() {
            // SAFETY: The device is valid; if it goes, the stack lets it go.
            unsafe { bindings::linkwatch_fire_event(self.as_raw()) };
        }
    }

    /// Begins the device's end, unless it has begun. It ends after RTNL is released. May sleep.
    pub(crate) fn unregister(&self, _rtnl: &mut Rtnl) {
        if self.is_registered() {
            // SAFETY: RTNL is held and the device is registered.
            unsafe { bindings::unregister_netdevice_queue(self.as_raw(), ptr::null_mut()) };
        }
    }

    /// Changes the link type (`ARPHRD_*`) and, with it, the address length. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` while the interface is up, or what a notifier said.
    pub(crate) fn set_link_type(&self, link_type: u16, _rtnl: &mut Rtnl) -> Result {
        if self.is_up() {
            return Err(EBUSY);
        }
        let dev = self.as_raw();
        // SAFETY: RTNL is held, and the interface is down.
        unsafe {
            let pre = bindings::netdev_cmd_NETDEV_PRE_TYPE_CHANGE;
            let ret = bindings::call_netdevice_notifiers(pre as usize, dev);
            to_result(bindings::rtun_notifier_to_errno(ret))?;
            (*dev).type_ = link_type;
            (*dev).addr_len = addr_len(link_type);
            let post = bindings::netdev_cmd_NETDEV_POST_TYPE_CHANGE;
            bindings::call_netdevice_notifiers(post as usize, dev);
        }
        Ok(())
    }

    /// Lets the stack's transmit queues run. RTNL is held by the callers' context.
    pub(crate) fn start_all_queues(&self, _rtnl: &mut Rtnl) {
        // SAFETY: The device is valid.
        unsafe { bindings::rtun_netif_tx_start_all_queues(self.as_raw()) };
    }

    /// Stops the stack's transmit queues.
    pub(crate) fn stop_all_queues(&self, _rtnl: &mut Rtnl) {
        // SAFETY: The device is valid.
        unsafe { bindings::rtun_netif_tx_stop_all_queues(self.as_raw()) };
    }

    /// Whether the device is given packets that are to be cut in segments inside of a UDP tunnel
    /// (`NETIF_F_GSO_UDP_TUNNEL`). Any context; it can change at once.
    #[inline]
    pub(crate) fn cuts_in_tunnels(&self) -> bool {
        // SAFETY: The device is valid.
        unsafe { bindings::rtun_dev_has_gso_udp_tunnel(self.as_raw()) }
    }

    /// Whether the interface is set up, as the driver was told (`__LINK_STATE_START`). Any context.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: The device is valid.
        unsafe { bindings::rtun_netif_running(self.as_raw()) }
    }

    /// Whether the device was made with a transmit queue of this number.
    #[inline]
    fn has_queue(&self, txq: u16) -> bool {
        // SAFETY: The device is valid, and the number never changes.
        u32::from(txq) < unsafe { (*self.as_raw()).num_tx_queues }
    }

    /// Whether packets for a transmit queue can wait in a qdisc.
    #[inline]
    pub(crate) fn has_qdisc(&self, txq: u16, _: &rcu::Guard) -> bool {
        if !self.has_queue(txq) {
            return false;
        }
        // SAFETY: There is such a queue, and RCU keeps the qdisc.
        unsafe { bindings::rtun_txq_has_qdisc(self.as_raw(), u32::from(txq)) }
    }

    /// How many packets wait in the qdisc of a transmit queue, those that are to be segmented counted
    /// as what they become. An estimate: it changes meanwhile.
    pub(crate) fn qdisc_backlog(&self, txq: u16, _: &rcu::Guard) -> u32 {
        if !self.has_queue(txq) {
            return 0;
        }
        // SAFETY: There is such a queue, and RCU keeps the qdisc.
        unsafe { bindings::rtun_txq_backlog(self.as_raw(), u32::from(txq)) }
    }

    /// Lets the packets for a transmit queue wait in its qdisc. Any context. Says whether that is
    /// new.
    pub(crate) fn stop_queue(&self, txq: u16) -> bool {
        // SAFETY: There is such a queue.
        self.has_queue(txq) && unsafe { bindings::rtun_txq_stop(self.as_raw(), u32::from(txq)) }
    }

    /// Lets the packets for a transmit queue come. Any context. Says whether that is new.
    pub(crate) fn wake_queue(&self, txq: u16) -> bool {
        // SAFETY: There is such a queue.
        self.has_queue(txq) && unsafe { bindings::rtun_txq_wake(self.as_raw(), u32::from(txq)) }
    }

    /// Notes that a transmit queue moved, for the watchdog. Softirqs are off.
    #[inline]
    pub(crate) fn trans_update(&self, txq: u16) {
        // Those in use are some of those that there are, and their number is at hand for each packet.
        // SAFETY: A racy read of a word, as in C.
        let n = unsafe { (&raw const (*self.as_raw()).real_num_tx_queues).read_volatile() };
        if u32::from(txq) < n {
            // SAFETY: There is such a queue.
            unsafe { bindings::rtun_txq_trans_cond_update(self.as_raw(), u32::from(txq)) };
        }
    }
}

/// Whether the stack has another packet for the same transmit queue at hand, when it gives a driver
/// one; of no meaning elsewhere.
pub(crate) fn xmit_more() -> bool {
    // SAFETY: A flag of the CPU, or of the task, is read.
    unsafe { bindings::rtun_netdev_xmit_more() }
}

/// Bytes of a link address, by link type.
fn addr_len(link_type: u16) -> u8 {
    let len = match u32::from(link_type) {
        bindings::ARPHRD_IP6GRE | bindings::ARPHRD_TUNNEL6 => 16,
        bindings::ARPHRD_IPGRE | bindings::ARPHRD_TUNNEL | bindings::ARPHRD_SIT => 4,
        bindings::ARPHRD_ETHER => bindings::ETH_ALEN,
        bindings::ARPHRD_IEEE802154 | bindings::ARPHRD_IEEE802154_MONITOR => {
            bindings::RTUN_IEEE802154_ADDR_LEN as u32
        }
        bindings::ARPHRD_6LOWPAN => bindings::RTUN_EUI64_ADDR_LEN as u32,
        bindings::ARPHRD_FDDI => bindings::RTUN_FDDI_K_ALEN as u32,
        bindings::ARPHRD_HIPPI => bindings::RTUN_HIPPI_ALEN as u32,
        bindings::ARPHRD_IEEE802 => bindings::RTUN_FC_ALEN as u32,
        bindings::ARPHRD_ROSE => bindings::RTUN_ROSE_ADDR_LEN as u32,
        bindings::ARPHRD_NETROM => bindings::AX25_ADDR_LEN,
        bindings::ARPHRD_LOCALTLK => bindings::RTUN_LTALK_ALEN as u32,
        _ => 0,
    };
    len as u8
}

impl<T: Driver> Deref for NetDevice<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant, the private data is live while there is a reference.
        unsafe {
            let private = bindings::rtun_netdev_priv(self.as_raw()).cast::<Private<T>>();
            &(*private).data
        }
    }
}
