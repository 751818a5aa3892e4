/* SPDX-License-Identifier: GPL-2.0 */
/* The C that rust/net/ sees: kernel::bindings has these types as stubs only. */

/*
 * bindgen leaves out a member that has a tag but no name, and with it the part
 * of struct sock that holds its spinlock. The tag is used nowhere else.
 */
#define slock_owned

#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/eventpoll.h>
#include <linux/ethtool.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/ieee802154.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/poll.h>
#include <linux/ptr_ring.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/sched/signal.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>
#include <linux/wait.h>
#include <net/6lowpan.h>
#include <net/ax25.h>
#include <net/ip_tunnels.h>
#include <net/netdev_queues.h>
#include <net/rose.h>
#include <net/rtnetlink.h>
#include <net/sock.h>
#include <net/xdp.h>
#include <uapi/linux/if_fc.h>
#include <uapi/linux/if_fddi.h>
#include <uapi/linux/if_hippi.h>
#include <uapi/linux/if_ltalk.h>

#include "../helpers/helpers.h"
#include "../uapi/rtun.h"

/* Macros that bindgen can not evaluate. */
static const __poll_t RTUN_EPOLLIN = EPOLLIN | EPOLLRDNORM;
static const __poll_t RTUN_EPOLLOUT = EPOLLOUT | EPOLLWRNORM;
static const __poll_t RTUN_EPOLLERR = EPOLLERR;
static const __poll_t RTUN_EPOLLHUP = EPOLLHUP;
static const size_t RTUN_SHINFO_SIZE = SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
static const size_t RTUN_SKB_MAX_HEAD = SKB_MAX_HEAD(0);
static const size_t RTUN_SMP_CACHE_BYTES = SMP_CACHE_BYTES;
static const size_t RTUN_PAGE_SIZE = PAGE_SIZE;
/* NET_SKB_PAD, whose max() is no constant to bindgen; helpers/skbuff.c checks it. */
static const size_t RTUN_NET_SKB_PAD = L1_CACHE_BYTES > 32 ? L1_CACHE_BYTES : 32;
static const size_t RTUN_NET_IP_ALIGN = NET_IP_ALIGN;
static const int RTUN_PAGE_ALLOC_COSTLY_ORDER = PAGE_ALLOC_COSTLY_ORDER;
static const gfp_t RTUN_GFP_ATOMIC = GFP_ATOMIC;
static const gfp_t RTUN_GFP_KERNEL = GFP_KERNEL;
static const fmode_t RTUN_FMODE_NOWAIT = FMODE_NOWAIT;
static const int RTUN_IOCB_NOWAIT = IOCB_NOWAIT;
static const int RTUN_POLL_IN = POLL_IN;
static const int RTUN_POLL_OUT = POLL_OUT;
static const int RTUN_POLL_HUP = POLL_HUP;
static const int RTUN_HZ = HZ;
static const u32 RTUN_IOC_SETBATCH = RTUN_SETBATCH;
static const u32 RTUN_IOC_GETBATCH = RTUN_GETBATCH;
static const u32 RTUN_IOC_SOCKET = RTUN_SOCKET;
static const long RTUN_MAX_SCHEDULE_TIMEOUT = MAX_SCHEDULE_TIMEOUT;
static const size_t RTUN_MAX_SKB_FRAGS = MAX_SKB_FRAGS;
static const size_t RTUN_ETH_MAX_MTU = ETH_MAX_MTU;
static const int RTUN_NET_XMIT_DROP = NET_XMIT_DROP;
static const u32 RTUN_XDP_XMIT_FLAGS_MASK = XDP_XMIT_FLAGS_MASK;
static const int RTUN_FDDI_K_ALEN = FDDI_K_ALEN;
static const int RTUN_HIPPI_ALEN = HIPPI_ALEN;
static const int RTUN_FC_ALEN = FC_ALEN;
static const int RTUN_LTALK_ALEN = LTALK_ALEN;
static const int RTUN_ROSE_ADDR_LEN = ROSE_ADDR_LEN;
static const int RTUN_IEEE802154_ADDR_LEN = IEEE802154_EXTENDED_ADDR_LEN;
static const int RTUN_EUI64_ADDR_LEN = EUI64_ADDR_LEN;

static const u32 RTUN_ETHTOOL_COALESCE_RX_MAX_FRAMES = ETHTOOL_COALESCE_RX_MAX_FRAMES;
static const netdev_features_t RTUN_NETIF_F_HW_CSUM = NETIF_F_HW_CSUM;
static const netdev_features_t RTUN_NETIF_F_TSO = NETIF_F_TSO;
static const netdev_features_t RTUN_NETIF_F_TSO_ECN = NETIF_F_TSO_ECN;
static const netdev_features_t RTUN_NETIF_F_TSO6 = NETIF_F_TSO6;
static const netdev_features_t RTUN_NETIF_F_GSO_UDP_L4 = NETIF_F_GSO_UDP_L4;
static const netdev_features_t RTUN_NETIF_F_GSO_UDP_TUNNEL = NETIF_F_GSO_UDP_TUNNEL;
static const netdev_features_t RTUN_NETIF_F_GSO_UDP_TUNNEL_CSUM = NETIF_F_GSO_UDP_TUNNEL_CSUM;

/* What mod.rs compares with the sizes that bindgen made up. */
#define RTUN_SIZEOF(type) \
	static const size_t RTUN_SIZEOF_##type = sizeof(struct type)

RTUN_SIZEOF(attribute_group);
RTUN_SIZEOF(bpf_net_context);
RTUN_SIZEOF(device_attribute);
RTUN_SIZEOF(ethtool_link_ksettings);
RTUN_SIZEOF(ethtool_ops);
RTUN_SIZEOF(file_operations);
RTUN_SIZEOF(miscdevice);
RTUN_SIZEOF(msghdr);
RTUN_SIZEOF(napi_struct);
RTUN_SIZEOF(net_device);
RTUN_SIZEOF(net_device_ops);
RTUN_SIZEOF(netdev_bpf);
RTUN_SIZEOF(netdev_queue_stats_rx);
RTUN_SIZEOF(netdev_queue_stats_tx);
RTUN_SIZEOF(netdev_stat_ops);
RTUN_SIZEOF(notifier_block);
RTUN_SIZEOF(proto);
RTUN_SIZEOF(proto_ops);
RTUN_SIZEOF(ptr_ring);
RTUN_SIZEOF(rtnl_link_ops);
RTUN_SIZEOF(sk_buff);
RTUN_SIZEOF(sock);
RTUN_SIZEOF(socket);
RTUN_SIZEOF(tun_msg_ctl);
RTUN_SIZEOF(virtio_net_hdr_v1_hash_tunnel);
RTUN_SIZEOF(wait_queue_entry);
RTUN_SIZEOF(xdp_buff);
RTUN_SIZEOF(xdp_frame);
RTUN_SIZEOF(xdp_rxq_info);
