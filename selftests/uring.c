// SPDX-License-Identifier: GPL-2.0-only
/* io_uring by its system calls: see uring.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uring.h"

#define ENTRIES	8

static uint32_t *field(struct uring *uring, uint32_t offset)
{
	return (uint32_t *)((uint8_t *)uring->rings + offset);
}

int uring_open(struct uring *uring)
{
	struct io_uring_params *p = &uring->params;

	memset(uring, 0, sizeof(*uring));
	if (access("/proc/sys/kernel/io_uring_disabled", F_OK))
		return -EOPNOTSUPP;
	uring->fd = syscall(SYS_io_uring_setup, ENTRIES, p);
	if (uring->fd < 0)
		return errno == EPERM ? -EOPNOTSUPP : -errno;
	uring->rings_size = p->cq_off.cqes +
			    p->cq_entries * sizeof(struct io_uring_cqe);
	uring->rings = mmap(NULL, uring->rings_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, uring->fd,
			    IORING_OFF_SQ_RING);
	uring->sqes = mmap(NULL, p->sq_entries * sizeof(*uring->sqes),
			   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			   uring->fd, IORING_OFF_SQES);
	if (uring->rings == MAP_FAILED || (void *)uring->sqes == MAP_FAILED)
		return -errno;
	return 0;
}

void uring_close(struct uring *uring)
{
	munmap(uring->rings, uring->rings_size);
	munmap(uring->sqes,
	       uring->params.sq_entries * sizeof(*uring->sqes));
	close(uring->fd);
}

static int enter(struct uring *uring, unsigned int submit, unsigned int wait)
{
	int ret;

	do {
		ret = syscall(SYS_io_uring_enter, uring->fd, submit, wait,
			      wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

int uring_submit(struct uring *uring, const struct io_uring_sqe *sqe)
{
	uint32_t *tail = field(uring, uring->params.sq_off.tail);
	uint32_t mask = *field(uring, uring->params.sq_off.ring_mask);
	uint32_t *array = field(uring, uring->params.sq_off.array);
	uint32_t index = *tail & mask;
	int ret;

	uring->sqes[index] = *sqe;
	array[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	ret = enter(uring, 1, 0);
	return ret == 1 ? 0 : ret < 0 ? ret : -EIO;
}

int uring_wait(struct uring *uring, struct io_uring_cqe *cqe)
{
	uint32_t *head = field(uring, uring->params.cq_off.head);
	uint32_t *tail = field(uring, uring->params.cq_off.tail);
	uint32_t mask = *field(uring, uring->params.cq_off.ring_mask);
	struct io_uring_cqe *cqes;

	while (*head == __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
		int ret = enter(uring, 0, 1);

		if (ret < 0)
			return ret;
	}
	cqes = (void *)field(uring, uring->params.cq_off.cqes);
	*cqe = cqes[*head & mask];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return 0;
}

int uring_call(struct uring *uring, int op, int fd, void *buf, size_t len)
{
	struct io_uring_sqe sqe = {
		.opcode = op, .fd = fd, .addr = (uintptr_t)buf, .len = len,
	};
	struct io_uring_cqe cqe;
	int err;

	if (op == IORING_OP_READ || op == IORING_OP_WRITE)
		sqe.off = -1;
	err = uring_submit(uring, &sqe);
	if (!err)
		err = uring_wait(uring, &cqe);
	return err ? err : cqe.res;
}
