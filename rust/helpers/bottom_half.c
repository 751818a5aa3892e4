// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/irqflags.h>

#include "helpers.h"

void rtun_local_bh_disable(void)
{
	local_bh_disable();
}

void rtun_local_bh_enable(void)
{
	local_bh_enable();
}

bool rtun_irqs_disabled(void)
{
	return irqs_disabled();
}
