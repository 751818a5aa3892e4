/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What "ethtool -k" and "ethtool -K" do, in the caller's namespace. Functions
 * return a value >= 0, or a negative errno.
 */
#ifndef OFFLOAD_H
#define OFFLOAD_H

#include <stdbool.h>

int feature_get(const char *dev, const char *feature);
int feature_wait(const char *dev, const char *feature, bool on);
int feature_set(const char *dev, const char *feature, bool on);

#endif /* OFFLOAD_H */
