// SPDX-License-Identifier: GPL-2.0

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

void rtun_sock_wake(struct socket *sock, u32 events)
{
	if (wq_has_sleeper(&sock->wq.wait))
		wake_up_interruptible_poll(&sock->wq.wait, (__force __poll_t)events);
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
	sock_put(sk);
}

int rtun_copy_int_from_sockptr(int *value, sockptr_t from, unsigned int len)
{
	if (len < sizeof(*value))
		return -EINVAL;
	return copy_from_sockptr(value, from, sizeof(*value)) ? -EFAULT : 0;
}
