// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/uio.h>
#include <linux/if_vlan.h>

#include "helpers.h"

void rtun_skb_metadata_set(struct sk_buff *skb, u8 len)
{
	skb_metadata_set(skb, len);
}

int rtun_skb_orphan_frags_rx(struct sk_buff *skb)
{
	return skb_orphan_frags_rx(skb, GFP_ATOMIC);
}

void rtun_skb_tx_timestamp(struct sk_buff *skb)
{
	skb_tx_timestamp(skb);
}

void rtun_net_timestamp(struct sk_buff *skb)
{
	__net_timestamp(skb);
}

void rtun_skb_orphan(struct sk_buff *skb)
{
	skb_orphan(skb);
}

void rtun_nf_reset_ct(struct sk_buff *skb)
{
	nf_reset_ct(skb);
}

void rtun_skb_reserve(struct sk_buff *skb, int len)
{
	/* As bindings_helper.h says it. */
	BUILD_BUG_ON(NET_SKB_PAD != (L1_CACHE_BYTES > 32 ? L1_CACHE_BYTES : 32));
	skb_reserve(skb, len);
}

/* There is room. */
void rtun___skb_put(struct sk_buff *skb, unsigned int len)
{
	__skb_put(skb, len);
}

void rtun_skb_record_rx_queue(struct sk_buff *skb, u16 queue)
{
	skb_record_rx_queue(skb, queue);
}

void rtun_skb_reset_mac_header(struct sk_buff *skb)
{
	skb_reset_mac_header(skb);
}

void rtun_skb_reset_network_header(struct sk_buff *skb)
{
	skb_reset_network_header(skb);
}

void rtun_skb_set_network_header(struct sk_buff *skb, int offset)
{
	skb_set_network_header(skb, offset);
}

u16 rtun_skb_protocol(const struct sk_buff *skb)
{
	return (__force u16)skb->protocol;
}

void rtun_skb_set_protocol(struct sk_buff *skb, u16 proto)
{
	skb->protocol = (__force __be16)proto;
}

struct net_device *rtun_skb_dev(const struct sk_buff *skb)
{
	return skb->dev;
}

void rtun_skb_set_dev(struct sk_buff *skb, struct net_device *dev)
{
	skb->dev = dev;
}

bool rtun_skb_vlan_tag(const struct sk_buff *skb, u16 *proto, u16 *tci)
{
	if (!skb_vlan_tag_present(skb))
		return false;
	*proto = (__force u16)skb->vlan_proto;
	*tci = skb_vlan_tag_get(skb);
	return true;
}

int rtun_pskb_trim(struct sk_buff *skb, unsigned int len)
{
	return pskb_trim(skb, len);
}

bool rtun_pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

/*
 * To describe one that is segmented writes to what clones share, for a moment: a clone
 * of it gets that for itself.
 */
struct sk_buff *rtun_skb_clone(struct sk_buff *skb)
{
	struct sk_buff *clone = skb_clone(skb, GFP_ATOMIC);

	if (clone && skb_is_gso(clone) && skb_unclone(clone, GFP_ATOMIC)) {
		consume_skb(clone);
		return NULL;
	}
	return clone;
}

u16 rtun_skb_get_queue_mapping(const struct sk_buff *skb)
{
	return skb_get_queue_mapping(skb);
}

struct sk_buff *rtun_alloc_skb(unsigned int size)
{
	return alloc_skb(size, GFP_KERNEL);
}

/* A fragment of len bytes, at most a page, that are still to be filled in. */
int rtun_skb_add_frag(struct sk_buff *skb, unsigned int len)
{
	void *frag = netdev_alloc_frag(len);
	struct page *page;

	if (!frag)
		return -ENOMEM;
	page = virt_to_head_page(frag);
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page,
			frag - page_address(page), len, len);
	return 0;
}

/*
 * Fills a new packet whose pages are not of high memory: a fragment is copied in
 * one go, and not a page at a time.
 */
size_t rtun_skb_copy_from_iter(struct sk_buff *skb, struct iov_iter *from)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	size_t copied = rtun_copy_from_iter(skb->data, skb_headlen(skb), from);
	unsigned int i;

	for (i = 0; i < shinfo->nr_frags; i++) {
		const skb_frag_t *frag = &shinfo->frags[i];

		copied += rtun_copy_from_iter(skb_frag_address(frag), skb_frag_size(frag),
					      from);
	}
	return copied;
}

/*
 * As skb_copy_datagram_iter(), for which there is room: what is in the head and in
 * pages that are not of high memory is copied in one go each.
 */
int rtun_skb_copy_to_iter(const struct sk_buff *skb, unsigned int offset,
			  struct iov_iter *to, unsigned int len)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int size = skb_headlen(skb), n, i;
	const void *data = skb->data;

	if (IS_ENABLED(CONFIG_HIGHMEM) || skb_has_frag_list(skb) || !skb_frags_readable(skb))
		return skb_copy_datagram_iter(skb, offset, to, len);
	for (i = 0;; i++) {
		if (offset < size) {
			n = min(len, size - offset);
			if (rtun_copy_to_iter(data + offset, n, to) != n)
				return -EFAULT;
			offset += n;
			len -= n;
		}
		if (!len)
			return 0;
		if (i == shinfo->nr_frags)
			return -EFAULT;
		offset -= size;
		data = skb_frag_address(&shinfo->frags[i]);
		size = skb_frag_size(&shinfo->frags[i]);
	}
}

/* How the memory that is left of an iterator is cut in pieces. */
int rtun_iov_iter_pieces(const struct iov_iter *iter, size_t *lens, unsigned int max)
{
	unsigned int n;

	lens[0] = iov_iter_single_seg_count(iter);
	if (!iter_is_iovec(iter))
		return lens[0] == iov_iter_count(iter) ? 1 : -EMSGSIZE;
	if (iter->nr_segs > max)
		return -EMSGSIZE;
	for (n = 1; n < iter->nr_segs; n++)
		lens[n] = iter_iov(iter)[n].iov_len;
	return iter->nr_segs;
}

/* Whether what comes after skip bytes has no more pages than a packet can have. */
bool rtun_iov_iter_fits_frags(const struct iov_iter *iter, size_t skip)
{
	struct iov_iter rest = *iter;

	iov_iter_advance(&rest, skip);
	return iov_iter_npages(&rest, INT_MAX) <= MAX_SKB_FRAGS;
}

void rtun_skb_zcopy_init(struct sk_buff *skb, struct ubuf_info *uarg)
{
	skb_zcopy_init(skb, uarg);
}

void rtun_ubuf_copied(struct ubuf_info *uarg)
{
	uarg->ops->complete(NULL, uarg, false);
}

struct page_frag *rtun_current_task_frag(void)
{
	return &current->task_frag;
}

/* Most often there is room, and no need of a call. */
bool rtun_page_frag_refill(unsigned int size, struct page_frag *frag)
{
	if (likely(frag->page)) {
		/* Nobody else has a piece of it any more. */
		if (page_ref_count(frag->page) == 1)
			frag->offset = 0;
		if (likely(frag->offset + size <= frag->size))
			return true;
	}
	return skb_page_frag_refill(size, frag, GFP_KERNEL);
}

void *rtun_page_address(struct page *page)
{
	return page_address(page);
}

void rtun_get_page(struct page *page)
{
	get_page(page);
}
