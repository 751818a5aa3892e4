// SPDX-License-Identifier: GPL-2.0-only
/* Files: opened, closed, passed on, and the rest of their calls: see fuzz.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "rtnl.h"
#include "tun_test.h"

/* Puts a file in a slot, in place of what is there. */
long fuzz_put_slot(int fd, int slot)
{
	long ret = fuzz_ret(dup3(fd, slot, O_CLOEXEC));

	close(fd);
	return ret;
}

static long run_open(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const int modes[] = { O_RDWR, O_RDWR, O_RDWR, O_RDWR, O_RDONLY,
				     O_WRONLY, O_RDWR | O_APPEND,
				     O_RDWR | O_ASYNC };
	int flags = modes[fuzz_pick(t, fuzz_one_in(t, 4) ? 8 : 1)];
	int fd, slot = fuzz_slot(t), tries;

	if (!fuzz_one_in(t, 8))
		flags |= O_NONBLOCK;
	/* One that is free, mostly. */
	for (tries = 0; tries < 4 && fcntl(slot, F_GETFD) >= 0; tries++)
		slot = fuzz_slot(t);
	if (tries == 4 && !fuzz_one_in(t, 16))
		return -EBUSY;
	fuzz_note(t, "fd %d flags %#x", slot, flags);
	fd = open(tun_node(), flags | O_CLOEXEC);
	return fd < 0 ? -errno : fuzz_put_slot(fd, slot);
}

static long run_close(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_slot(t);

	fuzz_note(t, "fd %d", fd);
	return fuzz_ret(close(fd));
}

static long run_dup(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int from = fuzz_fd(t), to = fuzz_slot(t);

	fuzz_note(t, "fd %d to %d", from, to);
	return fuzz_ret(dup3(from, to, O_CLOEXEC));
}

/* To any process, which finds it when it takes one. */
static long run_give(struct fuzz_thread *t, const struct fuzz_row *row)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = fuzz_fd(t), to = fuzz_pick(t, FUZZ_ROLES);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	fuzz_note(t, "fd %d to %s", fd, fuzz_role_name(to));
	return fuzz_ret(sendmsg(t->fuzz->inbox[to][1], &msg, MSG_DONTWAIT));
}

static long take(struct fuzz *fuzz, enum fuzz_role role, int slot)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(fuzz->inbox[role][0], &msg,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	if (!CMSG_FIRSTHDR(&msg))
		return 0;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fuzz_put_slot(fd, slot);
}

static long run_take(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int slot = fuzz_slot(t);

	fuzz_note(t, "fd %d", slot);
	return take(t->fuzz, t->role, slot);
}

void fuzz_close_all(struct fuzz *fuzz, enum fuzz_role role)
{
	while (take(fuzz, role, FUZZ_FD_BASE) >= 0)
		;
	close_range(FUZZ_FD_BASE, FUZZ_FD_LAST, 0);
}

/* Reads that block are ended by signals, which takes time: rather few. */
static long run_setfl(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_fd(t), flags = fuzz_one_in(t, 8) ? 0 : O_NONBLOCK;

	if (fuzz_one_in(t, 2))
		flags |= O_ASYNC;
	if (fuzz_one_in(t, 8))
		flags |= fuzz_one_in(t, 2) ? O_APPEND : O_NOATIME;
	fuzz_note(t, "fd %d flags %#x", fd, flags);
	return fuzz_ret(fcntl(fd, F_SETFL, flags));
}

static long run_setown(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct f_owner_ex owner = { F_OWNER_TID, t->tid };
	int fd = fuzz_fd(t), how = fuzz_pick(t, 4);
	int pids[] = { t->pid, 0, -t->pid };

	fuzz_note(t, "fd %d how %d", fd, how);
	return fuzz_ret(how < 3 ? fcntl(fd, F_SETOWN, pids[how]) :
				  fcntl(fd, F_SETOWN_EX, &owner));
}

static long run_setsig(struct fuzz_thread *t, const struct fuzz_row *row)
{
	const int sigs[] = { 0, SIGUSR2, SIGRTMIN, SIGURG, -1, 65 };
	int fd = fuzz_fd(t), sig = sigs[fuzz_pick(t, 6)];

	fuzz_note(t, "fd %d signal %d", fd, sig);
	return fuzz_ret(fcntl(fd, F_SETSIG, sig));
}

/* What the file says of itself. The text is checked for its form only. */
static long run_fdinfo(struct fuzz_thread *t, const struct fuzz_row *row)
{
	char path[64], text[1024];
	int fd = fuzz_slot(t);
	long ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	fuzz_note(t, "fd %d", fd);
	ret = read_file(path, text, sizeof(text));
	if (ret >= 0 && !strstr(text, "\niff:\t"))
		fuzz_fail(t, 230, "%s: no interface in it", row->name);
	return ret;
}

static long run_sysfs(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const char *const attrs[] = {
		"tun_flags", "owner", "group", "statistics/rx_dropped",
		"queues/tx-0/traffic_class", "carrier", "operstate",
	};
	const char *attr = attrs[fuzz_pick(t, 7)];
	char name[IFNAMSIZ], text[128];

	fuzz_name(t, name);
	fuzz_note(t, "%s/%s", name, attr);
	return netdev_attr(name, attr, text, sizeof(text));
}

static long run_lseek(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_fd(t), whence = fuzz_pick(t, 4);
	off_t offset = fuzz_edge(t);

	fuzz_note(t, "fd %d to %ld from %d", fd, offset, whence);
	return fuzz_ret(lseek(fd, offset, whence));
}

static long run_mmap(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_fd(t);

	fuzz_note(t, "fd %d", fd);
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ?
		-errno : 0;
}

static long run_splice(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_fd(t), fds[2];
	long ret;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	fuzz_note(t, "fd %d", fd);
	if (fuzz_one_in(t, 2)) {
		ret = splice(fd, NULL, fds[1], NULL, 4096, SPLICE_F_NONBLOCK);
	} else {
		ret = write(fds[1], t->payload, 100);
		ret = splice(fds[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK);
	}
	ret = fuzz_ret(ret);
	close(fds[0]);
	close(fds[1]);
	return ret;
}

#define FILE_ROW(_name, _weight, _run, _flags, ...) {			\
	.name = _name, .weight = _weight, .run = run_##_run,		\
	.flags = _flags, .errors = { __VA_ARGS__ } }

const struct fuzz_row fuzz_file_rows[] = {
	FILE_ROW("open", 30, open, ROW_NOBODY, EBUSY),
	FILE_ROW("close", 6, close, ROW_NOBODY, EBADF),
	FILE_ROW("dup", 3, dup, ROW_NOBODY, EBUSY, EINVAL),
	FILE_ROW("give", 6, give, ROW_NOBODY, EAGAIN, ETOOMANYREFS),
	FILE_ROW("take", 6, take, ROW_NOBODY, EAGAIN, EBUSY),
	FILE_ROW("F_SETFL", 8, setfl, ROW_NOBODY, EPERM),
	FILE_ROW("F_SETOWN", 4, setown, ROW_NOBODY, ESRCH),
	FILE_ROW("F_SETSIG", 4, setsig, ROW_NOBODY, EINVAL),
	FILE_ROW("fdinfo", 4, fdinfo, ROW_NOBODY, ENOENT),
	FILE_ROW("sysfs", 4, sysfs, ROW_ROOT, ENOENT, ENODEV, EINVAL,
		 EOPNOTSUPP),
	FILE_ROW("lseek", 1, lseek, ROW_CHANCE, ESPIPE, EINVAL),
	FILE_ROW("mmap", 1, mmap, ROW_NEVER, ENODEV, EACCES),
	FILE_ROW("splice", 2, splice, ROW_NEVER | ROW_WAITS, EINVAL, EAGAIN),
	{ }
};
