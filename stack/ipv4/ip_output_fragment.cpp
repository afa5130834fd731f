// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_output.c, the part that cuts. ip_fragment refuses where DF forbids it and says so by ICMP;
// ip_do_fragment sends the datagram in pieces of the MTU: when it already is a list of fitting pieces (its
// frag_list), each only gets a header (ip_fraglist_*); else, bytes are copied into new packets (ip_frag_*).
// Every piece but the last is a multiple of eight bytes.
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/ip_output.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

static void ip_copy_metadata(sk_buff &to, const sk_buff &from)
{
	TRACE(to);
	to.pkt_type = from.pkt_type;
	to.priority = from.priority;
	to.protocol = from.protocol;
	to.skb_iif = from.skb_iif;
	skb_dst_drop(to);
	skb_dst_copy(to, from);
	to.dev = from.dev;
	to.mark = from.mark;
	skb_copy_hash(to, from);
	nf_copy(to, from);
	skb_ext_copy(to, from);
	to.secmark = from.secmark;
}

int ip_fragment(net &net, sock *sk, skb_ptr skb, u32 mtu, int (*output)(skbwalk::net &, sock *, skb_ptr))
{
	TRACE(skb, sk);
	if (!(ntohs(ip_hdr(*skb).frag_off) & IP_DF))
		return ip_do_fragment(net, sk, std::move(skb), output);
	const u16 frag_max_size = IPCB(*skb).frag_max_size;
	if (!skb->ignore_df || (frag_max_size && frag_max_size > mtu)) {
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		icmp_send(*skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
		kfree_skb(std::move(skb));
		return -EMSGSIZE;
	}
	return ip_do_fragment(net, sk, std::move(skb), output);
}

// Makes the head of the list a packet of its own, with all that stands before frag_list.
void ip_fraglist_init(sk_buff &skb, iphdr &iph, u32 hlen, ip_fraglist_iter &iter)
{
	TRACE(skb);
	const u32 first_len = skb_pagelen(skb);

	iter.frag = std::exchange(skb_shinfo(skb).frag_list, nullptr);
	iter.offset = 0;
	iter.iph = &iph;
	iter.hlen = hlen;
	skb.data_len = first_len - skb_headlen(skb);
	skb.len = first_len;
	iph.tot_len = htons(static_cast<u16>(first_len));
	iph.frag_off = htons(IP_MF);
	ip_send_check(iph);
}

// Gives the next piece its header, from the one before it, `skb`.
void ip_fraglist_prepare(sk_buff &skb, ip_fraglist_iter &iter)
{
	TRACE(skb);
	sk_buff &frag = *iter.frag;

	frag.ip_summed = CHECKSUM_NONE;
	skb_reset_transport_header(frag);
	__skb_push(frag, iter.hlen);
	skb_reset_network_header(frag);
	std::memcpy(skb_network_header(frag), iter.iph, iter.hlen);
	iter.iph = &ip_hdr(frag);
	iter.iph->tot_len = htons(static_cast<u16>(frag.len));
	ip_copy_metadata(frag, skb);
	iter.offset += static_cast<int>(skb.len - iter.hlen);
	iter.iph->frag_off = htons(static_cast<u16>(iter.offset >> 3 | (frag.next ? IP_MF : 0)));
	ip_send_check(*iter.iph);
}

static skb_ptr ip_fraglist_next(ip_fraglist_iter &iter)
{
	TRACE_INLINE(iter.frag);
	sk_buff *skb = iter.frag;

	iter.frag = std::exchange(skb->next, nullptr);
	return skb_ptr(skb);
}

void ip_frag_init(sk_buff &skb, u32 hlen, u32 ll_rs, u32 mtu, bool DF, ip_frag_state &state)
{
	TRACE(skb);
	const u16 frag_off = ntohs(ip_hdr(skb).frag_off);

	state.DF = DF;
	state.hlen = hlen;
	state.ll_rs = ll_rs;
	state.mtu = mtu;
	state.left = skb.len - hlen;
	state.ptr = static_cast<int>(hlen);
	state.offset = (frag_off & IP_OFFSET) << 3;
	state.not_last_frag = frag_off & IP_MF;
}

static void ip_frag_ipcb(sk_buff &from, sk_buff &to, bool first_frag)
{
	TRACE(from);
	IPCB(to).flags = IPCB(from).flags;
	// Options that only the first fragment has are taken out of the original, so that those to come are
	// without.
	if (first_frag)
		ip_options_fragment(from);
}

skb_ptr ip_frag_next(sk_buff &skb, ip_frag_state &state)
{
	TRACE(skb);
	u32 len = std::min(state.left, state.mtu);

	if (len < state.left)
		len &= ~7u;
	skb_ptr skb2 = alloc_skb(len + state.hlen + state.ll_rs, GFP_ATOMIC);
	if (!skb2)
		return nullptr;

	ip_copy_metadata(*skb2, skb);
	skb_reserve(*skb2, state.ll_rs);
	skb_put(*skb2, len + state.hlen);
	skb_reset_network_header(*skb2);
	skb2->transport_header = static_cast<u16>(skb2->network_header + state.hlen);
	if (skb.sk)
		skb_set_owner_w(*skb2, *skb.sk);

	skb_copy_from_linear_data_offset(skb, 0, skb_network_header(*skb2), state.hlen);
	[[maybe_unused]] const int err =
		skb_copy_bits(skb, state.ptr, skb_transport_header(*skb2), static_cast<int>(len));
	assert(!err);
	state.left -= len;

	iphdr &iph = ip_hdr(*skb2);
	// What is cut out of a fragment that is not the last keeps MF in every piece.
	iph.frag_off = htons(static_cast<u16>(state.offset >> 3 | (state.DF ? IP_DF : 0) |
	                                      (state.left || state.not_last_frag ? IP_MF : 0)));
	state.ptr += static_cast<int>(len);
	state.offset += static_cast<int>(len);
	iph.tot_len = htons(static_cast<u16>(len + state.hlen));
	ip_send_check(iph);
	return skb2;
}

namespace {

int fail(net &net, skb_ptr skb, int err)
{
	kfree_skb(std::move(skb));
	IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
	return err;
}

// Can each piece of the frag_list go out as it is? Then each belongs to the skb's socket from now on.
bool take_fraglist(sk_buff &skb, u32 hlen, u32 mtu, u32 ll_rs)
{
	const u32 first_len = skb_pagelen(skb);

	if (first_len - hlen > mtu || ((first_len - hlen) & 7) || ip_is_fragment(ip_hdr(skb)) ||
	    skb_cloned(skb) || skb_headroom(skb) < ll_rs)
		return false;
	for (sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		if (frag->len > mtu || ((frag->len & 7) && frag->next) ||
		    skb_headroom(*frag) < hlen + ll_rs || skb_shared(*frag)) {
			for (sk_buff *done = skb_shinfo(skb).frag_list; done != frag; done = done->next) {
				done->sk = nullptr;
				done->destructor = nullptr;
				skb.truesize += done->truesize;
			}
			return false;
		}
		assert(!frag->sk);
		if (skb.sk) {
			frag->sk = skb.sk;
			frag->destructor = sock_wfree;
		}
		skb.truesize -= frag->truesize;
	}
	return true;
}

} // namespace

int ip_do_fragment(net &net, sock *sk, skb_ptr skb, int (*output)(skbwalk::net &, sock *, skb_ptr))
{
	TRACE(skb, sk);
	const bool mono_delivery_time = skb->mono_delivery_time;
	const u64 tstamp = skb->tstamp;
	const rtable &rt = *skb_rtable(*skb);
	int err = 0;

	// A device sums one packet, not many.
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		err = ip_check_csum_start(*skb);
		if (!err)
			err = skb_checksum_help(*skb);
		if (err)
			return fail(net, std::move(skb), err);
	}
	iphdr &iph = ip_hdr(*skb);
	const u32 hlen = iph.ihl() * 4;
	u32 mtu = ip_skb_dst_mtu(sk, *skb);
	if (IPCB(*skb).frag_max_size && IPCB(*skb).frag_max_size < mtu)
		mtu = IPCB(*skb).frag_max_size;
	if (mtu < hlen + 8)
		return fail(net, std::move(skb), -EMSGSIZE);
	mtu -= hlen;
	IPCB(*skb).flags |= IPSKB_FRAG_COMPLETE;
	const u32 ll_rs = LL_RESERVED_SPACE(*rt.dev);

	if (skb_has_frag_list(*skb) && take_fraglist(*skb, hlen, mtu, ll_rs)) {
		ip_fraglist_iter iter;

		ip_fraglist_init(*skb, iph, hlen, iter);
		for (;;) {
			// The next header is made before this packet leaves.
			if (iter.frag) {
				const bool first_frag = iter.offset == 0;

				IPCB(*iter.frag).flags = IPCB(*skb).flags;
				ip_fraglist_prepare(*skb, iter);
				if (first_frag && IPCB(*skb).optlen) {
					IPCB(*iter.frag).optlen = IPCB(*skb).optlen;
					ip_options_fragment(*iter.frag);
					ip_send_check(*iter.iph);
				}
			}
			skb_set_delivery_time(*skb, tstamp, mono_delivery_time);
			err = output(net, sk, std::move(skb));
			if (!err)
				IP_INC_STATS(net, IPSTATS_MIB_FRAGCREATES);
			if (err || !iter.frag)
				break;
			skb = ip_fraglist_next(iter);
		}
		if (!err) {
			IP_INC_STATS(net, IPSTATS_MIB_FRAGOKS);
			return 0;
		}
		kfree_skb_list(iter.frag);
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		return err;
	}

	ip_frag_state state;
	ip_frag_init(*skb, hlen, ll_rs, mtu, IPCB(*skb).flags & IPSKB_FRAG_PMTU, state);
	while (state.left > 0) {
		const bool first_frag = state.offset == 0;
		skb_ptr skb2 = ip_frag_next(*skb, state);

		if (!skb2)
			return fail(net, std::move(skb), -ENOMEM);
		ip_frag_ipcb(*skb, *skb2, first_frag);
		skb_set_delivery_time(*skb2, tstamp, mono_delivery_time);
		err = output(net, sk, std::move(skb2));
		if (err)
			return fail(net, std::move(skb), err);
		IP_INC_STATS(net, IPSTATS_MIB_FRAGCREATES);
	}
	consume_skb(std::move(skb));
	IP_INC_STATS(net, IPSTATS_MIB_FRAGOKS);
	return err;
}

} // namespace skbwalk
