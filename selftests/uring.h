/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The least of io_uring: one request at a time, and what it says. Functions
 * return a value >= 0, or a negative errno.
 */
#ifndef URING_H
#define URING_H

#include <stdint.h>
#include <linux/io_uring.h>

struct uring {
	int fd;
	struct io_uring_params params;
	void *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
};

/* -EOPNOTSUPP where there is none. */
int uring_open(struct uring *uring);
void uring_close(struct uring *uring);

/* Puts a request in; waits for the next answer. */
int uring_submit(struct uring *uring, const struct io_uring_sqe *sqe);
int uring_wait(struct uring *uring, struct io_uring_cqe *cqe);

/* Both: the answer's result. */
int uring_call(struct uring *uring, int op, int fd, void *buf, size_t len);

#endif /* URING_H */
