/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only C can say: static inlines and macros that the safe layer calls.
 * A helper is named after what it wraps, with rtun_ in front.
 */
#ifndef RTUN_HELPERS_H
#define RTUN_HELPERS_H

#include <linux/filter.h>
#include <linux/netdevice.h>
#include <linux/poll.h>
#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>
#include <net/sock.h>
#include <net/xdp.h>

#ifdef RTUN_INLINE
/* To be inlined into Rust, whatever the attributes of both differ in. */
#pragma clang attribute push([[clang::always_inline]], apply_to = function)
#endif

/* bottom_half.c */
void rtun_local_bh_disable(void);
void rtun_local_bh_enable(void);
bool rtun_irqs_disabled(void);

/* cred.c */
struct net *rtun_current_net(void);
int rtun_open_net_ns(struct net *net);
struct user_namespace *rtun_net_user_ns(const struct net *net);
struct user_namespace *rtun_current_user_ns(void);
kuid_t rtun_current_fsuid(void);
kuid_t rtun_current_euid(void);

/* filter.c */
struct bpf_prog *rtun_bpf_prog_get_socket_filter(u32 fd);
u32 rtun_bpf_prog_run(const struct bpf_prog *prog, struct sk_buff *skb);
void rtun_bpf_prog_release_rcu(struct bpf_prog *prog);

/* flow_dissector.c */
u32 rtun_skb_get_hash_symmetric(const struct sk_buff *skb);
u32 rtun_eth_hash_symmetric(const void *data, unsigned int len);

/* fs.c */
void rtun_f_setown_current(struct file *file);
void rtun_file_set_nowait(struct file *file);

/* if_tun.c, for a module that exports them; rust/net/if_tun/export.rs has them. */
struct socket *rtun_get_socket(struct file *file);
struct ptr_ring *rtun_get_tx_ring(struct file *file);
void rtun_wake_queue(struct file *file, int consumed);
void rtun_ptr_free(void *ptr);

/* napi.c */
void rtun_napi_add_tx(struct net_device *dev, struct napi_struct *napi,
		      int (*poll)(struct napi_struct *napi, int budget));
void rtun_napi_set_sched(struct napi_struct *napi);
void rtun___napi_del(struct napi_struct *napi);
void rtun_napi_schedule(struct napi_struct *napi);
void rtun_napi_receive_list(struct napi_struct *napi, struct sk_buff_head *queue,
			    struct sk_buff *first);
void rtun_napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb);
void rtun_skb_queue_head_init(struct sk_buff_head *queue);

/* netdevice.c */
void *rtun_netdev_priv(const struct net_device *dev);
struct net_device *rtun_netdev_from_priv(const void *priv);
void rtun_dev_hold(struct net_device *dev);
void rtun_dev_put(struct net_device *dev);
void rtun_dev_copy_name(const struct net_device *dev, char *name);
struct net *rtun_dev_net(const struct net_device *dev);
void rtun_dev_net_set(struct net_device *dev, struct net *net);
enum netdev_reg_state rtun_dev_reg_state(const struct net_device *dev);
bool rtun_dev_has_gso_udp_tunnel(const struct net_device *dev);
void rtun_dev_set_software(struct net_device *dev, netdev_features_t offloads);
void rtun_tap_priv_flags(struct net_device *dev);
void rtun_netif_tx_start_all_queues(struct net_device *dev);
void rtun_netif_tx_stop_all_queues(struct net_device *dev);
bool rtun_netif_running(const struct net_device *dev);
bool rtun_txq_has_qdisc(struct net_device *dev, unsigned int txq);
unsigned int rtun_txq_backlog(struct net_device *dev, unsigned int txq);
bool rtun_netdev_xmit_more(void);
bool rtun_txq_stop(struct net_device *dev, unsigned int txq);
bool rtun_txq_wake(struct net_device *dev, unsigned int txq);
void rtun_txq_trans_cond_update(struct net_device *dev, unsigned int txq);
void rtun_dev_stats_to_stats64(const struct net_device *dev, struct rtnl_link_stats64 *stats);
struct pcpu_sw_netstats __percpu *rtun_netstats_alloc(void);
void rtun_netstats_free(struct pcpu_sw_netstats __percpu *stats);
void rtun_netstats_rx_add(void *stats, unsigned int packets, unsigned int len);
void rtun_netstats_tx_add(void *stats, unsigned int packets, unsigned int len);
void rtun_netstats_tx_sub(struct pcpu_sw_netstats __percpu *stats, unsigned int len);
void rtun_dev_set_sysfs_group(struct net_device *dev, const struct attribute_group *group);
void rtun_eth_hw_addr_random(struct net_device *dev);
int rtun_notifier_to_errno(int ret);
struct net_device *rtun_netdev_notifier_info_to_dev(void *info);
void rtun_netif_receive_skb_list(struct sk_buff *first, struct sk_buff *last);

/* netlink.c */
int rtun_nla_put_u8(struct sk_buff *skb, int attrtype, u8 value);
int rtun_nla_put_u32(struct sk_buff *skb, int attrtype, u32 value);
size_t rtun_nla_total_size(int payload);
void rtun_nl_set_err_msg(struct netlink_ext_ack *extack, const char *msg);

/* poll.c */
void rtun_poll_wait(struct file *file, struct wait_queue_head *wq, poll_table *table);

/* ptr_ring.c */
int rtun_ptr_ring_init(struct ptr_ring *r, int size);
void rtun_ptr_ring_cleanup(struct ptr_ring *r, void (*destroy)(void *entry));
int rtun_ptr_ring_resize_multiple(struct ptr_ring **rings, unsigned int nrings,
				  int size, void (*destroy)(void *entry));
void rtun_ptr_ring_producer_lock(struct ptr_ring *r);
void rtun_ptr_ring_producer_unlock(struct ptr_ring *r);
void rtun_ptr_ring_lock_both(struct ptr_ring *r);
void rtun_ptr_ring_unlock_both(struct ptr_ring *r);
void rtun_ptr_ring_producer_lock_nested(struct ptr_ring *r);
int rtun___ptr_ring_produce(struct ptr_ring *r, void *entry);
bool rtun___ptr_ring_holds(const struct ptr_ring *r, unsigned int n);
void *rtun___ptr_ring_consume(struct ptr_ring *r);
void rtun___ptr_ring_zero_tail(struct ptr_ring *r);
int rtun___ptr_ring_len(const struct ptr_ring *r);
void rtun_ptr_ring_consumer_lock(struct ptr_ring *r);
void rtun_ptr_ring_consumer_unlock(struct ptr_ring *r);
bool rtun___ptr_ring_down_to(const struct ptr_ring *r, unsigned int n);
void *rtun___ptr_ring_peek(struct ptr_ring *r);
void rtun___ptr_ring_discard_one(struct ptr_ring *r);
bool rtun___ptr_ring_empty(struct ptr_ring *r);
bool rtun_ptr_ring_empty(struct ptr_ring *r);
unsigned int rtun_ptr_ring_place(const struct ptr_ring *r);

/* sched.c */
bool rtun_signal_pending(void);

/* security.c */
int rtun_security_tun_dev_alloc_security(void **security);
void rtun_security_tun_dev_free_security(void *security);
int rtun_security_tun_dev_create(void);
int rtun_security_tun_dev_attach_queue(void *security);
int rtun_security_tun_dev_attach(struct sock *sk, void *security);
int rtun_security_tun_dev_open(void *security);

/* skbuff.c */
void rtun_skb_metadata_set(struct sk_buff *skb, u8 len);
int rtun_skb_orphan_frags_rx(struct sk_buff *skb);
void rtun_skb_tx_timestamp(struct sk_buff *skb);
void rtun_net_timestamp(struct sk_buff *skb);
void rtun_skb_orphan(struct sk_buff *skb);
void rtun_nf_reset_ct(struct sk_buff *skb);
void rtun_skb_reserve(struct sk_buff *skb, int len);
void rtun___skb_put(struct sk_buff *skb, unsigned int len);
void rtun_skb_record_rx_queue(struct sk_buff *skb, u16 queue);
void rtun_skb_reset_mac_header(struct sk_buff *skb);
void rtun_skb_reset_network_header(struct sk_buff *skb);
void rtun_skb_set_network_header(struct sk_buff *skb, int offset);
u16 rtun_skb_protocol(const struct sk_buff *skb);
void rtun_skb_set_protocol(struct sk_buff *skb, u16 proto);
struct net_device *rtun_skb_dev(const struct sk_buff *skb);
void rtun_skb_set_dev(struct sk_buff *skb, struct net_device *dev);
bool rtun_skb_vlan_tag(const struct sk_buff *skb, u16 *proto, u16 *tci);
int rtun_pskb_trim(struct sk_buff *skb, unsigned int len);
bool rtun_pskb_may_pull(struct sk_buff *skb, unsigned int len);
struct sk_buff *rtun_skb_clone(struct sk_buff *skb);
u16 rtun_skb_get_queue_mapping(const struct sk_buff *skb);
struct sk_buff *rtun_alloc_skb(unsigned int size);
int rtun_skb_add_frag(struct sk_buff *skb, unsigned int len);
size_t rtun_skb_copy_from_iter(struct sk_buff *skb, struct iov_iter *from);
int rtun_skb_copy_to_iter(const struct sk_buff *skb, unsigned int offset,
			  struct iov_iter *to, unsigned int len);
int rtun_iov_iter_pieces(const struct iov_iter *iter, size_t *lens, unsigned int max);
bool rtun_iov_iter_fits_frags(const struct iov_iter *iter, size_t skip);
void rtun_skb_zcopy_init(struct sk_buff *skb, struct ubuf_info *uarg);
void rtun_ubuf_copied(struct ubuf_info *uarg);
struct page_frag *rtun_current_task_frag(void);
bool rtun_page_frag_refill(unsigned int size, struct page_frag *frag);
void *rtun_page_address(struct page *page);
void rtun_get_page(struct page *page);

/* sock.c */
void rtun_sock_hold(struct sock *sk);
void rtun_sock_put(struct sock *sk);
void rtun_sock_set_flag(struct sock *sk, enum sock_flags flag);
void rtun_sock_init_wait(struct socket *sock);
struct net *rtun_sock_net(const struct sock *sk);
int rtun_sk_wmem_alloc_get(const struct sock *sk);
bool rtun_sock_want_space(struct socket *sock);
bool rtun_sock_told_space(struct socket *sock);
void rtun_sock_set_xdp(struct sock *sk, bool on);
struct sk_buff *rtun_sock_hold_skb(struct sock *sk, struct sk_buff *skb, u32 most,
				   struct sk_buff **last);
bool rtun_sock_holds_none(const struct sock *sk);
void rtun_sock_wake(struct socket *sock, u32 events);
void rtun_sock_add_end(struct sock *sk, struct hlist_head *ends, struct sock *end);
void rtun_sock_label_ends(struct sock *sk, struct hlist_head *ends);
void rtun_sock_remove_end(struct sock *sk, struct sock *end);
void rtun_sock_signal_ends(struct hlist_head *ends, int band);
int rtun_sock_set_zerocopy(struct sock *sk, int on);
bool rtun_sock_is_zerocopy(const struct sock *sk);
bool rtun_sock_lock_wants_times(struct sock *sk);
unsigned long rtun_busy_loop_current_time(void);
bool rtun_sk_may_busy_loop(struct sock *sk, unsigned long start);
void rtun_sock_recv_timestamp(struct msghdr *msg, struct sock *sk, struct sk_buff *skb);
bool rtun_sock_has_error(const struct sock *sk);
void rtun_sock_tell_sent(struct sock *sk);
void rtun_msg_zerocopy_copied(struct ubuf_info *uarg);
int rtun_sock_install(struct socket *sock, int flags);
void rtun_sock_orphan_put(struct socket *sock);
int rtun_copy_int_from_sockptr(int *value, sockptr_t from, unsigned int len);

/* sysfs.c */
struct net_device *rtun_to_net_dev(struct device *dev);
int rtun_sysfs_emit_hex(char *page, u32 value);
int rtun_sysfs_emit_decimal(char *page, s64 value);

/* timer.c */
void rtun_timer_setup(struct timer_list *timer, void (*func)(struct timer_list *timer));

/* uio.c */
size_t rtun_copy_from_iter(void *to, size_t len, struct iov_iter *from);
size_t rtun_copy_to_iter(const void *from, size_t len, struct iov_iter *to);
void rtun_iov_iter_truncate(struct iov_iter *iter, size_t len);
void rtun_iov_iter_reexpand(struct iov_iter *iter, size_t hidden);

/* virtio_net.c */
int rtun_virtio_net_hdr_to_skb(struct sk_buff *skb,
			       const struct virtio_net_hdr_v1_hash_tunnel *hdr,
			       bool tunnel, bool little_endian);
int rtun_virtio_net_hdr_from_skb(const struct sk_buff *skb,
				 struct virtio_net_hdr_v1_hash_tunnel *hdr,
				 bool tunnel, bool little_endian, int vlan_hlen);

/* xdp.c */
struct bpf_net_context *rtun_xdp_enter(struct bpf_net_context *context);
void rtun_xdp_leave(struct bpf_net_context *context);
u32 rtun_bpf_prog_run_xdp(const struct bpf_prog *prog, struct xdp_buff *xdp);
int rtun_do_xdp_generic(const struct bpf_prog *prog, struct sk_buff **skb,
			struct net_device *dev);
struct xdp_frame *rtun_xdp_convert_buff_to_frame(struct xdp_buff *xdp);
void rtun_xdp_rxq_info_reg(struct xdp_rxq_info *info, struct net_device *dev, u32 index);
void rtun_trace_xdp_exception(const struct net_device *dev,
			      const struct bpf_prog *prog, u32 act);

/* wait_bit.c */
void rtun_wait_var_zero_mask(u64 *word, u64 mask);

#ifdef RTUN_INLINE
#pragma clang attribute pop
#endif

/* trace.c, which stays C. */
void rtun_trace_refused(const char *ifname, unsigned int cmd, const char *reason, int err);

#endif
