/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls at random, from processes of several privileges at once. What there is
 * to call is rows of tables: fuzz_ioctl.c, fuzz_data.c, fuzz_file.c,
 * fuzz_link.c, fuzz_socket.c. A row says how the call is made and how it may be refused.
 *
 * Each step of a thread draws from its own stream, which the seed, the
 * thread's number and the step's number start: the draws of one step do not
 * depend on those of another, nor on what other threads do.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/if.h>

#include "kselftest.h"

#ifndef IFF_BACKPRESSURE /* since 7.3 */
#define IFF_BACKPRESSURE	0x0080
#endif

#define FUZZ_NAMES	6	/* devices that all know by name */
#define FUZZ_SLOTS	12	/* descriptors that a process's threads share */
#define FUZZ_FD_BASE	200	/* their numbers: no other file gets one */
#define FUZZ_SOCKETS	6	/* more of them, for queues as sockets */
#define FUZZ_SOCKET_BASE	(FUZZ_FD_BASE + FUZZ_SLOTS + 1)
#define FUZZ_BATCHES	4	/* and for files that carry batches */
#define FUZZ_BATCH_BASE	(FUZZ_SOCKET_BASE + FUZZ_SOCKETS)
#define FUZZ_FD_LAST	(FUZZ_BATCH_BASE + FUZZ_BATCHES - 1)
#define FUZZ_XDPS	5	/* programs, one for each thing to do */
#define FUZZ_ROOM	(256 << 10)
#define FUZZ_SPACES	2
#define FUZZ_MAX_ROWS	128
#define FUZZ_ERRNOS	24
#define FUZZ_ALL_ERRNOS	135	/* the last is any other */
#define FUZZ_LOG	24
#define FUZZ_FAILURES	8

#define FUZZ_NOBODY	65534
#define FUZZ_USER	65533	/* root of a user namespace */

enum fuzz_role {
	ROLE_ROOT,
	ROLE_USERNS,		/* unprivileged, in namespaces of its own */
	ROLE_NOBODY,		/* unprivileged, in the namespace of root */
	FUZZ_ROLES
};

#define FUZZ_ROOTS	5	/* threads; the last one in the other space */
#define FUZZ_USERS	2
#define FUZZ_NOBODIES	2
#define FUZZ_THREADS	(FUZZ_ROOTS + FUZZ_USERS + FUZZ_NOBODIES)

/* Of a row. */
#define ROW_WAITS	0x01	/* may sleep until a signal comes */
#define ROW_ADMIN	0x02	/* must not succeed without privilege */
#define ROW_NEVER	0x04	/* must not succeed at all */
#define ROW_CHANCE	0x08	/* may never succeed in a run */
#define ROW_NOBODY	0x10	/* must succeed without privilege, too */
#define ROW_ROOT	0x20	/* is for root only */
#define ROW_ANSWERS	0x80	/* writes to where its argument points */
#define ROW_FILE	0x100	/* its result is a descriptor */
#define ROW_REAL	0x200	/* must succeed for the real root only */

struct fuzz_thread;

struct fuzz_row {
	const char *name;
	int weight;
	long (*run)(struct fuzz_thread *t, const struct fuzz_row *row);
	unsigned int flags;
	/* An ioctl's: a number, or what an argument points to. */
	unsigned long cmd;
	unsigned long (*value)(struct fuzz_thread *t);
	size_t (*fill)(struct fuzz_thread *t, void *object);
	bool (*check)(struct fuzz_thread *t, const void *object);
	short errors[FUZZ_ERRNOS];
};

extern const struct fuzz_row fuzz_ioctl_rows[], fuzz_data_rows[],
	fuzz_file_rows[], fuzz_link_rows[], fuzz_socket_rows[];

/* What must hold of the call's result, beside its row. */
enum fuzz_expect {
	EXPECT_ANY,
	EXPECT_ERROR,
	EXPECT_NO_FAULT,	/* all memory is there */
	EXPECT_OPEN		/* any, wherever an ioctl's argument is */
};

struct fuzz_log {
	unsigned int step;
	int row;
	bool done;
	long ret;
	char text[64];
};

struct fuzz_failure {
	atomic_int key;
	int thread;
	char what[160];
	struct fuzz_log log[FUZZ_LOG];
	unsigned int last;
};

/* In memory that all processes share. */
struct fuzz_thread {
	struct fuzz *fuzz;
	int id, space;
	enum fuzz_role role;
	pid_t pid, tid;
	pthread_t thread;
	uint64_t random;
	unsigned int step;
	int row;
	enum fuzz_expect expect;
	atomic_long since;	/* when the call began, or 0 */
	struct fuzz_log log[FUZZ_LOG];
	/* The thread's own. */
	uint8_t *room, *end;	/* FUZZ_ROOM bytes, and a page that faults */
	uint8_t *constant;	/* a page that cannot be written */
	uint8_t *payload;	/* what packets are filled with */
	int packet, udp;
};

struct fuzz {
	uint64_t seed;
	unsigned int steps, features;
	int space[FUZZ_SPACES], inbox[FUZZ_ROLES][2], bpf;
	int xdp[FUZZ_XDPS];
	atomic_bool stop;
	atomic_int running, setup_error;
	pthread_barrier_t barrier;
	atomic_long ok[FUZZ_ROLES][FUZZ_MAX_ROWS];
	atomic_long refused[FUZZ_ROLES][FUZZ_MAX_ROWS];
	atomic_bool seen[FUZZ_MAX_ROWS][FUZZ_ALL_ERRNOS];
	atomic_long slowest[FUZZ_MAX_ROWS];
	atomic_int failures;
	struct fuzz_failure failure[FUZZ_FAILURES];
	struct fuzz_thread thread[FUZZ_THREADS];
	int left[FUZZ_ROLES];	/* links that should not be there */
};

/* Draws. */
uint32_t fuzz_random(struct fuzz_thread *t);
unsigned int fuzz_pick(struct fuzz_thread *t, unsigned int n);
bool fuzz_one_in(struct fuzz_thread *t, unsigned int n);
long fuzz_edge(struct fuzz_thread *t);
int fuzz_fd(struct fuzz_thread *t);
int fuzz_slot(struct fuzz_thread *t);
int fuzz_socket_slot(struct fuzz_thread *t);
int fuzz_batch_slot(struct fuzz_thread *t);
int fuzz_ioctl_fd(struct fuzz_thread *t);
long fuzz_put_slot(int fd, int slot);
void *fuzz_bad_pointer(struct fuzz_thread *t);

/* The devices: what each is by its name, mostly, and its IPv4 address. */
unsigned int fuzz_name(struct fuzz_thread *t, char name[IFNAMSIZ]);
int fuzz_device_flags(unsigned int name);
uint32_t fuzz_address(unsigned int name);

/* Packets: each is put where there is room, and its length returned. */
size_t fuzz_put_packet(struct fuzz_thread *t, uint8_t *buf, bool ether,
		       uint16_t *proto);
size_t fuzz_put_vnet(struct fuzz_thread *t, uint8_t *buf, size_t size,
		     size_t ip_at);
size_t fuzz_put_write(struct fuzz_thread *t, uint8_t *buf, int flags);

/* What a call said, as the kernel says it. */
static inline long fuzz_ret(long ret)
{
	return ret < 0 ? -errno : ret;
}

/* For the log, before the call; and a wrong result, after it. */
__printf(2, 3)
void fuzz_note(struct fuzz_thread *t, const char *format, ...);
__printf(3, 4)
void fuzz_fail(struct fuzz_thread *t, int kind, const char *format, ...);

/* The engine (fuzz_run.c). */
const struct fuzz_row *fuzz_row(int n);
const char *fuzz_role_name(enum fuzz_role role);
bool fuzz_row_is_for(const struct fuzz_row *row, enum fuzz_role role);
bool fuzz_row_can(const struct fuzz_row *row, enum fuzz_role role);
int fuzz_rows(void);
int fuzz_process(struct fuzz *fuzz, enum fuzz_role role);
int fuzz_links_left(void);

/* What a process does at its start and at its end. */
int fuzz_open_epoll(void);
void fuzz_close_all(struct fuzz *fuzz, enum fuzz_role role);

#endif /* FUZZ_H */
