// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's own types, as it tells them: see btf.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/btf.h>

#include "btf.h"
#include "tun_test.h"

#define KERNEL_TYPES	"/sys/kernel/btf/vmlinux"

/* What follows a type's own structure, by its kind: -1 if that is unknown. */
static long type_tail(const struct btf_type *type)
{
	long n = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
		return sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return n * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return n * sizeof(struct btf_param);
	case BTF_KIND_VAR:
		return sizeof(struct btf_var);
	case BTF_KIND_DATASEC:
		return n * sizeof(struct btf_var_secinfo);
	case BTF_KIND_DECL_TAG:
		return sizeof(struct btf_decl_tag);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return -1;
	}
}

static int find(const uint8_t *image, const char *name)
{
	const struct btf_header *head = (const void *)image;
	const uint8_t *types = image + head->hdr_len + head->type_off;
	const char *names = (const char *)image + head->hdr_len + head->str_off;
	long at = 0, tail;
	int id;

	for (id = 1; at < (long)head->type_len; id++) {
		const struct btf_type *type = (const void *)(types + at);

		if (BTF_INFO_KIND(type->info) == BTF_KIND_FUNC &&
		    !strcmp(names + type->name_off, name))
			return id;
		tail = type_tail(type);
		if (tail < 0)
			return -EPROTO;
		at += sizeof(*type) + tail;
	}
	return -ENOENT;
}

/* The number of a function's type. */
int btf_function(const char *name)
{
	int fd = open(KERNEL_TYPES, O_RDONLY | O_CLOEXEC), id = -EIO;
	struct stat st;
	uint8_t *image;
	long len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		id = -errno;
		goto out;
	}
	image = malloc(st.st_size);
	while (image && len < st.st_size) {
		n = read_ret(fd, image + len, st.st_size - len);
		if (n <= 0)
			break;
		len += n;
	}
	if (image && len == st.st_size)
		id = find(image, name);
	free(image);
out:
	close(fd);
	return id;
}
