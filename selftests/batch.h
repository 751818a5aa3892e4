/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of frames (Documentation/batch.md), made and taken apart. Functions
 * return a value >= 0, or a negative errno.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "rtun.h"

#define BATCH_ROOM	(256 << 10)
#define FRAME		sizeof(struct rtun_frame)

struct batch {
	size_t len;		/* of what was put or read */
	size_t at;		/* the next frame that is looked at */
	uint8_t buf[BATCH_ROOM];	/* aligned as what is before it */
};

int batch_set(int fd, int version);
int batch_get(int fd);

/* The frame's place. Its packet is copied from there, or is left to make. */
struct rtun_frame *batch_put(struct batch *batch, const void *packet,
			     size_t len);

/* The next frame's packet; -ENODATA at the end, -EBADMSG for a bad frame. */
int batch_next(struct batch *batch, struct rtun_frame *frame, uint8_t **packet);

/* Calls; what a read says is noted. */
int batch_write(int fd, const struct batch *batch);
int batch_read(int fd, struct batch *batch, size_t room);

#endif /* BATCH_H */
