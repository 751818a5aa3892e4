// SPDX-License-Identifier: GPL-2.0-only
/* Frames: see batch.h. */
#include <errno.h>
#include <string.h>

#include "batch.h"
#include "tun_test.h"

int batch_set(int fd, int version)
{
	struct rtun_batch arg = { .version = version };

	return tun_ioctl_ptr(fd, RTUN_SETBATCH, &arg);
}

int batch_get(int fd)
{
	struct rtun_batch arg = { .version = 0xffff, .flags = 0xffffffff };
	int err = tun_ioctl_ptr(fd, RTUN_GETBATCH, &arg);

	if (err)
		return err;
	return arg.newest == RTUN_BATCH_V1 && !arg.flags ? arg.version : -EIO;
}

struct rtun_frame *batch_put(struct batch *batch, const void *packet,
			     size_t len)
{
	struct rtun_frame *frame = (void *)(batch->buf + batch->len);
	size_t size = RTUN_FRAME_SIZE(len);

	if (size > sizeof(batch->buf) - batch->len)
		return NULL;
	*frame = (struct rtun_frame){
		.size = size, .len = len, .offset = sizeof(*frame),
	};
	if (packet)
		memcpy(frame + 1, packet, len);
	memset((uint8_t *)(frame + 1) + len, 0xa5, size - FRAME - len);
	batch->len += size;
	return frame;
}

/* As Documentation/batch.md says of what is read, to the letter. */
int batch_next(struct batch *batch, struct rtun_frame *frame, uint8_t **packet)
{
	static const uint8_t zeros[RTUN_FRAME_ALIGN];
	size_t left = batch->len - batch->at;
	bool cut;

	if (!left)
		return -ENODATA;
	if (left < sizeof(*frame))
		return -EBADMSG;
	memcpy(frame, batch->buf + batch->at, sizeof(*frame));
	cut = frame->flags & RTUN_FRAME_CUT;
	if (frame->offset != sizeof(*frame) || frame->size > left ||
	    frame->size != RTUN_FRAME_SIZE(frame->len) ||
	    (frame->flags & ~RTUN_FRAME_CUT) ||
	    (cut ? frame->len >= frame->whole : frame->len != frame->whole))
		return -EBADMSG;
	*packet = batch->buf + batch->at + frame->offset;
	if (memcmp(*packet + frame->len, zeros,
		   frame->size - frame->offset - frame->len))
		return -EBADMSG;
	batch->at += frame->size;
	return 0;
}

int batch_write(int fd, const struct batch *batch)
{
	return write_ret(fd, batch->buf, batch->len);
}

int batch_read(int fd, struct batch *batch, size_t room)
{
	int ret = read_ret(fd, batch->buf, room);

	batch->at = 0;
	batch->len = ret < 0 ? 0 : ret;
	return ret;
}
