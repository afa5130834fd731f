// SPDX-License-Identifier: GPL-2.0-only
//
// A host with a device whose discipline the test chooses and whose driver it opens and shuts: what was sent,
// and when.
#pragma once

#include "stack/kernel/kmod.h"
#include "stack/sched/pkt_sched.h"
#include "stack/trace/recorder.h"
#include "stack/wire/headers.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {

struct sent_packet {
	u64 at_ns;
	u32 id; // skb->mark
	u32 len;
	u8 tos;
};

class sched_host : public net_host {
public:
	static inline int room = 1 << 30;
	static inline std::vector<sent_packet> sent;
	static inline u32 timeouts = 0;

	sched_host()
	{
		enter();
		pktsched_init();
		room = 1 << 30;
		timeouts = 0;
		sent.clear();
		dev_ = alloc_netdev(init_net(), "t%d", setup, 1);
		EXPECT_EQ(register_netdevice(*dev_), 0);
		EXPECT_EQ(dev_open(*dev_), 0);
		leave();
	}
	~sched_host() { remove_device(); }

	void remove_device()
	{
		if (dev_)
			on_cpu([&] { unregister_netdevice(*std::exchange(dev_, nullptr)); });
	}
	net_device &dev() { return *dev_; }
	Qdisc &root() { return *dev_->qdisc; }
	const netlink_ext_ack &ack() const { return ack_; }

	int ask(u16 flags, u32 parent, u32 handle, const char *kind, std::optional<tc_options> options = {})
	{
		return on_cpu([&] {
			tc_request n{.dev = dev_, .parent = parent, .handle = handle, .nlmsg_flags = flags};

			if (kind)
				n.kind = kind;
			n.options = std::move(options);
			ack_ = {};
			return tc_modify_qdisc(n, &ack_);
		});
	}
	int replace(const char *kind, std::optional<tc_options> options = {}, u32 parent = TC_H_ROOT,
	            u32 handle = 0)
	{
		return ask(NLM_F_CREATE | NLM_F_REPLACE, parent, handle, kind, std::move(options));
	}
	int remove(u32 parent)
	{
		return on_cpu([&] {
			const tc_request n{.dev = dev_, .parent = parent};

			ack_ = {};
			return tc_del_qdisc(n, &ack_);
		});
	}

	// One IPv4 packet of `len` bytes with its link-layer header, of the flow with this hash.
	struct packet {
		u32 id = 0;
		u32 len = 1000;
		u32 flow = 1;
		u32 priority = 0;
		u8 tos = 0;
		u64 tstamp = 0;
	};
	int send(const packet &p)
	{
		return on_cpu([&] { return dev_queue_xmit(make(p)); });
	}
	skb_ptr make(const packet &p)
	{
		skb_ptr skb = frame(*dev_, dev_->broadcast, p.len - ETH_HLEN);
		auto &iph = *reinterpret_cast<iphdr *>(skb->data + ETH_HLEN);

		skb->protocol = htons(ETH_P_IP);
		iph.tos = p.tos;
		skb->mark = p.id;
		skb->hash = p.flow;
		skb->l4_hash = 1;
		skb->priority = p.priority;
		skb->tstamp = p.tstamp;
		skb->mono_delivery_time = p.tstamp != 0;
		return skb;
	}
	// The driver takes `n` more packets, and is told to go on.
	void open(int n = 1 << 30)
	{
		room = n;
		on_cpu([&] {
			local_bh_disable();
			netif_tx_wake_queue(*dev_->_tx[0]);
			local_bh_enable();
		});
	}
	static void shut() { room = 0; }
	u64 now()
	{
		return on_cpu([] { return ktime_get_ns(); });
	}
	std::vector<u32> ids() const
	{
		std::vector<u32> out;
		for (const sent_packet &p : sent)
			out.push_back(p.id);
		return out;
	}
	// How often each function ran while `fn` did.
	template <class Fn> std::map<std::string, int> calls(Fn fn)
	{
		trace::recorder recorder(100000);
		std::map<std::string, int> out;

		world.h.recorder = &recorder;
		recorder.start();
		fn();
		recorder.stop();
		world.h.recorder = nullptr;
		for (std::size_t i = 0; i < recorder.size(); ++i)
			if (recorder.at(i).kind == trace::record_kind::enter)
				++out[trace::site_of(recorder.at(i).site).name];
		return out;
	}

private:
	static netdev_tx_t xmit(skb_ptr &skb, net_device &dev)
	{
		if (room <= 0) {
			netif_tx_stop_queue(*netdev_get_tx_queue(dev, 0));
			return NETDEV_TX_BUSY;
		}
		--room;
		sent.push_back({ktime_get_ns(), skb->mark, skb->len,
		                reinterpret_cast<const iphdr *>(skb->data + ETH_HLEN)->tos});
		consume_skb(std::move(skb));
		return NETDEV_TX_OK;
	}
	static void setup(net_device &dev)
	{
		static const net_device_ops ops = {.ndo_start_xmit = xmit,
		                                   .ndo_tx_timeout = [](net_device &, u32) { ++timeouts; }};

		ether_setup(dev);
		dev.netdev_ops = &ops;
		dev.dev_addr = {2, 0, 0, 0, 0, 1};
	}
	net_device *dev_ = nullptr;
	netlink_ext_ack ack_;
};

inline std::vector<u32> range(u32 from, u32 to)
{
	std::vector<u32> out;
	for (u32 i = from; i < to; ++i)
		out.push_back(i);
	return out;
}

} // namespace skbwalk::test
