/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System calls on a device of up to two queues, with what each needs before
 * and what must have come of it.
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef FAIL_CALL_H
#define FAIL_CALL_H

#include "rtnl.h"

/* What is called upon, and what calls leave for the next ones. */
struct fail_subject {
	int fd[2], index, sock, control, epoll, prog;
	int extra;		/* a descriptor that a call has made */
	int written;		/* packets, by a call */
	struct rtnl_link_stats64 stats;	/* before the call */
};

struct fail_call {
	/* What has to be there, beyond the device's queues, if anything. */
	int (*prepare)(struct fail_subject *on);
	int (*call)(struct fail_subject *on, int flags);
	/* Whether the call did what it returned, if that is to be seen. */
	int (*check)(struct fail_subject *on, int ret);
};

extern const struct fail_call fail_open;
extern const struct fail_call fail_set_iff;
extern const struct fail_call fail_attach;
extern const struct fail_call fail_detach;
extern const struct fail_call fail_close;
extern const struct fail_call fail_txqlen;
extern const struct fail_call fail_txqlen_disabled;
extern const struct fail_call fail_mtu;
extern const struct fail_call fail_up;
extern const struct fail_call fail_rename;
extern const struct fail_call fail_persist;
extern const struct fail_call fail_link_type;
extern const struct fail_call fail_write;
extern const struct fail_call fail_write_large;
extern const struct fail_call fail_send;
extern const struct fail_call fail_read;
extern const struct fail_call fail_poll;
extern const struct fail_call fail_epoll;
extern const struct fail_call fail_fasync;
extern const struct fail_call fail_socket;
extern const struct fail_call fail_send_more;
extern const struct fail_call fail_peek;
extern const struct fail_call fail_batch;
extern const struct fail_call fail_packed_write;
extern const struct fail_call fail_xdp;
extern const struct fail_call fail_private_flag;

#endif /* FAIL_CALL_H */
