/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What rtun has beside the interface of linux/if_tun.h: ioctls of an open
 * file of its node. Documentation/batch.md describes the format in words.
 *
 * All fields are in the machine's byte order. A kernel that does not know a
 * command answers EINVAL, or EBADFD if the file has no device; the in-tree
 * driver does so for all of them.
 */
#ifndef _UAPI_RTUN_H
#define _UAPI_RTUN_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define RTUN_IOC_TYPE		0xd4

/*
 * Packed batches: several packets in one read() or write() of the file.
 */

#define RTUN_BATCH_OFF		0	/* one packet a call, without a frame */
#define RTUN_BATCH_V1		1	/* struct rtun_frame before each */

/* The argument of RTUN_SETBATCH and RTUN_GETBATCH. */
struct rtun_batch {
	__u16 version;		/* RTUN_BATCH_* */
	__u16 newest;		/* got: the newest version that the module knows;
				 * set: ignored
				 */
	__u32 flags;		/* none yet: 0 */
};

#define RTUN_SETBATCH		_IOW(RTUN_IOC_TYPE, 1, struct rtun_batch)
#define RTUN_GETBATCH		_IOR(RTUN_IOC_TYPE, 2, struct rtun_batch)

/*
 * What each packet begins with, its struct tun_pi and virtio-net header
 * counted as part of it. A frame begins at a multiple of RTUN_FRAME_ALIGN
 * bytes from the beginning of the buffer.
 */
struct rtun_frame {
	__u32 size;		/* bytes from the beginning of this frame to that of
				 * the next: a multiple of RTUN_FRAME_ALIGN
				 */
	__u32 len;		/* bytes of the packet that are in the frame */
	__u32 whole;		/* read: bytes of the packet before it was cut;
				 * written: the same as len, or 0
				 */
	__u16 offset;		/* bytes from the beginning of the frame to the
				 * packet: the size of this structure
				 */
	__u16 flags;		/* RTUN_FRAME_*; written: 0 */
};

#define RTUN_FRAME_ALIGN	8

/* Read: the packet did not fit in the buffer, and was cut. */
#define RTUN_FRAME_CUT		0x0001

/* Bytes of a frame for a packet of len bytes. */
#define RTUN_FRAME_SIZE(len) \
	((sizeof(struct rtun_frame) + (len) + RTUN_FRAME_ALIGN - 1) & \
	 ~((__typeof__(sizeof(0)))RTUN_FRAME_ALIGN - 1))

/*
 * The file's queue as a datagram socket, whose descriptor is the result. The
 * argument is a number: O_CLOEXEC and O_NONBLOCK, or 0.
 */
#define RTUN_SOCKET		_IO(RTUN_IOC_TYPE, 3)

#endif /* _UAPI_RTUN_H */
