// SPDX-License-Identifier: GPL-2.0

#include <linux/errqueue.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/skbuff.h>
#include <net/busy_poll.h>
#include <net/sock.h>

#include "helpers.h"

void rtun_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void rtun_sock_put(struct sock *sk)
{
	sock_put(sk);
}

void rtun_sock_set_flag(struct sock *sk, enum sock_flags flag)
{
	sock_set_flag(sk, flag);
}

void rtun_sock_init_wait(struct socket *sock)
{
	init_waitqueue_head(&sock->wq.wait);
}

struct net *rtun_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

int rtun_sk_wmem_alloc_get(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk);
}

/* Returns whether somebody had asked already. */
bool rtun_sock_want_space(struct socket *sock)
{
	return test_and_set_bit(SOCKWQ_ASYNC_NOSPACE, &sock->flags);
}

bool rtun_sock_told_space(struct socket *sock)
{
	return test_and_clear_bit(SOCKWQ_ASYNC_NOSPACE, &sock->flags);
}

void rtun_sock_set_xdp(struct sock *sk, bool on)
{
	sock_valbool_flag(sk, SOCK_XDP, on);
}

/*
 * Puts skb, unless it is NULL, behind what the socket holds. When that is more than
 * most packets the socket holds none any more: they are returned, linked both ways,
 * with the last one of them.
 */
struct sk_buff *rtun_sock_hold_skb(struct sock *sk, struct sk_buff *skb, u32 most,
				   struct sk_buff **last)
{
	struct sk_buff_head *held = &sk->sk_write_queue;
	struct sk_buff *first = NULL;

	spin_lock_bh(&held->lock);
	if (skb)
		__skb_queue_tail(held, skb);
	if (skb_queue_len(held) > most) {
		first = skb_peek(held);
		*last = skb_peek_tail(held);
		(*last)->next = NULL;
		__skb_queue_head_init(held);
	}
	spin_unlock_bh(&held->lock);
	return first;
}

bool rtun_sock_holds_none(const struct sock *sk)
{
	return skb_queue_empty_lockless(&sk->sk_write_queue);
}

void rtun_sock_wake(struct socket *sock, u32 events)
{
	if (wq_has_sleeper(&sock->wq.wait))
		wake_up_interruptible_poll(&sock->wq.wait, (__force __poll_t)events);
}

/* The list is changed, and what is on it labelled, with the socket locked that it is of. */
void rtun_sock_add_end(struct sock *sk, struct hlist_head *ends, struct sock *end)
{
	lock_sock(sk);
	sk_add_node_rcu(end, ends);
	rcu_read_lock();
	security_sk_clone(sk, end);
	rcu_read_unlock();
	release_sock(sk);
}

void rtun_sock_label_ends(struct sock *sk, struct hlist_head *ends)
{
	struct sock *end;

	lock_sock(sk);
	rcu_read_lock();
	sk_for_each_rcu(end, ends)
		security_sk_clone(sk, end);
	rcu_read_unlock();
	release_sock(sk);
}

void rtun_sock_remove_end(struct sock *sk, struct sock *end)
{
	lock_sock(sk);
	sk_del_node_init_rcu(end);
	release_sock(sk);
}

void rtun_sock_signal_ends(struct hlist_head *ends, int band)
{
	struct sock *end;

	rcu_read_lock();
	sk_for_each_rcu(end, ends)
		sk_wake_async_rcu(end, SOCK_WAKE_IO, band);
	rcu_read_unlock();
}

/* The descriptor of a socket, which is released if there is none. */
int rtun_sock_install(struct socket *sock, int flags)
{
	int fd = get_unused_fd_flags(flags & O_CLOEXEC);
	struct file *file;

	/* What a program sets goes through the socket's own operations. */
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
	if (fd < 0) {
		sock_release(sock);
		return fd;
	}
	file = sock_alloc_file(sock, flags, NULL);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

void rtun_sock_orphan_put(struct socket *sock)
{
	struct sock *sk = sock->sk;

	sock_orphan(sk);
	sock->sk = NULL;
	skb_queue_purge(&sk->sk_error_queue);
	sock_put(sk);
}

int rtun_copy_int_from_sockptr(int *value, sockptr_t from, unsigned int len)
{
	if (len < sizeof(*value))
		return -EINVAL;
	return copy_from_sockptr(value, from, sizeof(*value)) ? -EFAULT : 0;
}

int rtun_sock_set_zerocopy(struct sock *sk, int on)
{
	if (on < 0 || on > 1)
		return -EINVAL;
	lock_sock(sk);
	sock_valbool_flag(sk, SOCK_ZEROCOPY, on);
	release_sock(sk);
	return 0;
}

bool rtun_sock_is_zerocopy(const struct sock *sk)
{
	return sock_flag(sk, SOCK_ZEROCOPY);
}

/* The socket stays locked. */
bool rtun_sock_lock_wants_times(struct sock *sk)
{
	lock_sock(sk);
	return sock_flag(sk, SOCK_RCVTSTAMP) ||
	       (READ_ONCE(sk->sk_tsflags) & SOF_TIMESTAMPING_RX_SOFTWARE);
}

unsigned long rtun_busy_loop_current_time(void)
{
	return busy_loop_current_time();
}

bool rtun_sk_may_busy_loop(struct sock *sk, unsigned long start)
{
	if (!sk_can_busy_loop(sk) || sk_busy_loop_timeout(sk, start))
		return false;
	cpu_relax();
	cond_resched();
	return true;
}

void rtun_sock_recv_timestamp(struct msghdr *msg, struct sock *sk, struct sk_buff *skb)
{
	/* Else it is the time at which the packet was to be sent. */
	if (skb->tstamp_type != SKB_CLOCK_REALTIME)
		skb_set_delivery_time(skb, 0, SKB_CLOCK_REALTIME);
	sock_recv_timestamp(msg, sk, skb);
}

bool rtun_sock_has_error(const struct sock *sk)
{
	return !skb_queue_empty_lockless(&sk->sk_error_queue);
}

/* What is told has no packet: the stack has that by now. */
void rtun_sock_tell_sent(struct sock *sk)
{
	u32 flags = READ_ONCE(sk->sk_tsflags);
	struct sk_buff *skb;

	if (!(flags & SOF_TIMESTAMPING_TX_SOFTWARE))
		return;
	skb = alloc_skb(0, GFP_KERNEL);
	if (!skb)
		return;
	skb_shinfo(skb)->tx_flags = SKBTX_SW_TSTAMP;
	if (flags & SOF_TIMESTAMPING_OPT_ID)
		skb_shinfo(skb)->tskey = atomic_inc_return(&sk->sk_tskey) - 1;
	__skb_tstamp_tx(skb, NULL, NULL, sk, SCM_TSTAMP_SND);
	consume_skb(skb);
}

void rtun_msg_zerocopy_copied(struct ubuf_info *uarg)
{
	uarg_to_msgzc(uarg)->zerocopy = 0;
	net_zcopy_put(uarg);
}
