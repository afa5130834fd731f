// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/ethernet/intel/e1000/e1000_main.c: e1000_probe takes a card, e1000_open makes rings and buffers
// and lets it interrupt. An interrupt (e1000_intr) masks all others and schedules polling; e1000_clean frees
// what was sent, hands up what has come, and when nothing is left sets the throttling by what it saw
// (e1000_set_itr) and unmasks. A change of the link interrupts too: e1000_watchdog, a delayed work, moves the
// carrier, and comes again every two seconds. Left out: addresses of groups (only all or none), VLAN filters,
// jumbo frames.
#include <algorithm>

#include "devices/e1000/card.h"
#include "devices/e1000/e1000.h"
#include "stack/core/dev_addr_lists.h"
#include "stack/kernel/printk.h"

namespace skbwalk {

namespace {

e1000_adapter &adapter_of(const net_device &netdev) { return netdev_priv<e1000_adapter>(netdev); }

bool schedule_delayed_work(delayed_work &w, u32 delay) { return queue_delayed_work(w, delay); }
bool schedule_work(delayed_work &w) { return queue_delayed_work(w, 0); }

} // namespace

// --- interrupts ---

static void e1000_irq_enable(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	ew32(adapter.hw, E1000_IMS, IMS_ENABLE_MASK);
}

static irqreturn_t e1000_intr(int, void *data)
{
	TRACE(static_cast<net_device *>(data));
	e1000_adapter &adapter = adapter_of(*static_cast<net_device *>(data));
	e1000_hw &hw = adapter.hw;
	const u32 icr = er32(hw, E1000_ICR);

	if (!icr)
		return IRQ_NONE; // of another device on this line
	if (adapter.flags & __E1000_DOWN)
		return IRQ_HANDLED;
	if (icr & (E1000_ICR_RXSEQ | E1000_ICR_LSC)) {
		hw.get_link_status = true;
		schedule_delayed_work(adapter.watchdog_task, 1);
	}
	ew32(hw, E1000_IMC, ~u32{0});
	if (napi_schedule_prep(adapter.napi)) {
		adapter.total_tx_bytes = 0;
		adapter.total_tx_packets = 0;
		adapter.total_rx_bytes = 0;
		adapter.total_rx_packets = 0;
		__napi_schedule(adapter.napi);
	} else if (!(adapter.flags & __E1000_DOWN)) {
		e1000_irq_enable(adapter);
	}
	return IRQ_HANDLED;
}

static void e1000_irq_disable(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	ew32(adapter.hw, E1000_IMC, ~u32{0});
	synchronize_irq(adapter.pdev->irq);
}

static int e1000_request_irq(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	return request_irq(adapter.pdev->irq, e1000_intr, IRQF_SHARED, adapter.netdev->name.c_str(),
	                   adapter.netdev);
}

static void e1000_free_irq(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	free_irq(adapter.pdev->irq, adapter.netdev);
}

// --- throttling ---

// By the packets and bytes of one interrupt: few and small ones want to be told of at once, a stream does
// not.
static u16 e1000_update_itr(e1000_adapter &adapter, u16 itr_setting, u32 packets, u32 bytes)
{
	TRACE(adapter.netdev);
	if (!packets)
		return itr_setting;
	switch (itr_setting) {
	case lowest_latency:
		if (bytes / packets > 8000)
			return bulk_latency;
		if (packets < 5 && bytes > 512)
			return low_latency;
		break;
	case low_latency: // 20000 interrupts a second
		if (bytes > 10000) {
			if (bytes / packets > 8000 || packets < 10 || bytes / packets > 1200)
				return bulk_latency;
			if (packets > 35)
				return lowest_latency;
		} else if (bytes / packets > 2000) {
			return bulk_latency;
		} else if (packets <= 2 && bytes < 512) {
			return lowest_latency;
		}
		break;
	case bulk_latency: // 4000 interrupts a second
		if (bytes > 25000 ? packets > 35 : bytes < 6000)
			return low_latency;
		break;
	}
	return itr_setting;
}

static void e1000_set_itr(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	u32 new_itr = adapter.itr;

	if (adapter.link_speed != SPEED_1000) {
		new_itr = 4000;
	} else {
		adapter.tx_itr = e1000_update_itr(adapter, adapter.tx_itr, adapter.total_tx_packets,
		                                  adapter.total_tx_bytes);
		// The conservative setting knows no lowest latency.
		if (adapter.itr_setting == 3 && adapter.tx_itr == lowest_latency)
			adapter.tx_itr = low_latency;
		adapter.rx_itr = e1000_update_itr(adapter, adapter.rx_itr, adapter.total_rx_packets,
		                                  adapter.total_rx_bytes);
		if (adapter.itr_setting == 3 && adapter.rx_itr == lowest_latency)
			adapter.rx_itr = low_latency;
		switch (std::max(adapter.rx_itr, adapter.tx_itr)) {
		case lowest_latency:
			new_itr = 70000;
			break;
		case low_latency:
			new_itr = 20000;
			break;
		case bulk_latency:
			new_itr = 4000;
			break;
		}
	}
	if (new_itr == adapter.itr)
		return;
	// Up in steps, down at once.
	if (new_itr > adapter.itr)
		new_itr = std::min(adapter.itr + (new_itr >> 2), new_itr);
	adapter.itr = new_itr;
	ew32(adapter.hw, E1000_ITR, 1'000'000'000 / (new_itr * 256));
}

static int e1000_clean(napi_struct &napi, int budget)
{
	TRACE(napi.dev);
	e1000_adapter &adapter = adapter_of(*napi.dev);
	int work_done = 0;
	const bool tx_clean_complete = e1000_clean_tx_irq(adapter, adapter.tx_ring);

	e1000_clean_rx_irq(adapter, adapter.rx_ring, work_done, budget);
	if (!tx_clean_complete || work_done == budget)
		return budget;
	if (napi_complete_done(napi, work_done)) {
		if (adapter.itr_setting & 3)
			e1000_set_itr(adapter);
		if (!(adapter.flags & __E1000_DOWN))
			e1000_irq_enable(adapter);
	}
	return work_done;
}

// --- up and down ---

static void e1000_set_rx_mode(net_device &netdev)
{
	TRACE(netdev);
	e1000_hw &hw = adapter_of(netdev).hw;
	u32 rctl = er32(hw, E1000_RCTL);
	std::vector<mac_addr> uc = netdev_uc_addrs(netdev);

	if (netdev.flags & IFF_PROMISC) {
		rctl |= E1000_RCTL_UPE | E1000_RCTL_MPE;
		rctl &= ~E1000_RCTL_VFE;
	} else {
		rctl = netdev.flags & IFF_ALLMULTI ? rctl | E1000_RCTL_MPE : rctl & ~E1000_RCTL_MPE;
	}
	if (uc.size() > E1000_RAR_ENTRIES - 1) { // more than the filters hold
		rctl |= E1000_RCTL_UPE;
		uc.clear();
	} else if (!(netdev.flags & IFF_PROMISC)) {
		rctl &= ~E1000_RCTL_UPE;
	} else {
		uc.clear();
	}
	ew32(hw, E1000_RCTL, rctl);
	for (u32 i = 0; i < uc.size(); ++i)
		e1000_rar_set(hw, uc[i], i + 1);
	for (u32 i = static_cast<u32>(uc.size()) + 1; i < E1000_RAR_ENTRIES; ++i) {
		ew32(hw, E1000_RA + 8 * i, 0);
		ew32(hw, E1000_RA + 8 * i + 4, 0);
	}
	for (u32 i = 0; i < E1000_NUM_MTA_REGISTERS; ++i)
		ew32(hw, E1000_MTA + 4 * (E1000_NUM_MTA_REGISTERS - 1 - i), 0);
}

// Tags go with the packet's descriptor, or in the packet.
static void e1000_vlan_mode(net_device &netdev, netdev_features_t features)
{
	TRACE(netdev);
	e1000_hw &hw = adapter_of(netdev).hw;
	const u32 ctrl = er32(hw, E1000_CTRL);

	ew32(hw, E1000_CTRL,
	     features & NETIF_F_HW_VLAN_CTAG_RX ? ctrl | E1000_CTRL_VME : ctrl & ~E1000_CTRL_VME);
}

static void e1000_configure(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_set_rx_mode(*adapter.netdev);
	e1000_vlan_mode(*adapter.netdev, adapter.netdev->features);
	e1000_configure_tx(adapter);
	e1000_setup_rctl(adapter);
	e1000_configure_rx(adapter);
	e1000_alloc_rx_buffers(adapter, adapter.rx_ring, E1000_DESC_UNUSED(adapter.rx_ring));
}

int e1000_up(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_configure(adapter);
	adapter.flags &= ~__E1000_DOWN;
	napi_enable(adapter.napi);
	e1000_irq_enable(adapter);
	netif_wake_queue(*adapter.netdev);
	// An interrupt for the link starts the watchdog.
	ew32(adapter.hw, E1000_ICS, E1000_ICR_LSC);
	return 0;
}

static void e1000_down_and_stop(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	adapter.flags |= __E1000_DOWN;
	cancel_delayed_work_sync(adapter.watchdog_task);
	if (!(adapter.flags & __E1000_RESETTING))
		cancel_delayed_work_sync(adapter.reset_task);
}

// Unlike the kernel, it does not wait 10 ms for the card to stop: this one has stopped.
void e1000_down(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_hw &hw = adapter.hw;
	net_device &netdev = *adapter.netdev;

	ew32(hw, E1000_RCTL, er32(hw, E1000_RCTL) & ~E1000_RCTL_EN);
	netif_tx_disable(netdev);
	ew32(hw, E1000_TCTL, er32(hw, E1000_TCTL) & ~E1000_TCTL_EN);
	netif_carrier_off(netdev);
	napi_disable(adapter.napi);
	e1000_irq_disable(adapter);
	e1000_down_and_stop(adapter);
	adapter.link_speed = 0;
	e1000_reset(adapter);
	e1000_clean_all_tx_rings(adapter);
	e1000_clean_all_rx_rings(adapter);
}

void e1000_reinit_locked(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	if (adapter.flags & __E1000_RESETTING)
		return;
	adapter.flags |= __E1000_RESETTING;
	if (!(adapter.flags & __E1000_DOWN)) {
		e1000_down(adapter);
		e1000_up(adapter);
	}
	adapter.flags &= ~__E1000_RESETTING;
}

void e1000_reset(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_hw &hw = adapter.hw;

	ew32(hw, E1000_PBA, E1000_PBA_48K);
	e1000_reset_hw(hw);
	ew32(hw, E1000_WUC, 0);
	static_cast<void>(e1000_init_hw(hw));
	ew32(hw, E1000_VET, ETH_P_8021Q);
	e1000_reset_adaptive(hw);
}

static void e1000_power_up_phy(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	u16 mii_reg = 0;

	static_cast<void>(e1000_read_phy_reg(adapter.hw, PHY_CTRL, mii_reg));
	static_cast<void>(e1000_write_phy_reg(adapter.hw, PHY_CTRL, mii_reg & ~MII_CR_POWER_DOWN));
}

// The other end of the wire loses its link.
static void e1000_power_down_phy(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	u16 mii_reg = 0;

	static_cast<void>(e1000_read_phy_reg(adapter.hw, PHY_CTRL, mii_reg));
	static_cast<void>(e1000_write_phy_reg(adapter.hw, PHY_CTRL, mii_reg | MII_CR_POWER_DOWN));
}

static int e1000_open(net_device &netdev)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);
	int err;

	netif_carrier_off(netdev);
	err = e1000_setup_all_tx_resources(adapter);
	if (err) {
		e1000_reset(adapter);
		return err;
	}
	err = e1000_setup_all_rx_resources(adapter);
	if (err) {
		e1000_free_all_tx_resources(adapter);
		e1000_reset(adapter);
		return err;
	}
	e1000_power_up_phy(adapter);
	e1000_configure(adapter);
	err = e1000_request_irq(adapter);
	if (err) {
		e1000_power_down_phy(adapter);
		e1000_free_all_rx_resources(adapter);
		e1000_free_all_tx_resources(adapter);
		e1000_reset(adapter);
		return err;
	}
	adapter.flags &= ~__E1000_DOWN;
	napi_enable(adapter.napi);
	e1000_irq_enable(adapter);
	netif_start_queue(netdev);
	ew32(adapter.hw, E1000_ICS, E1000_ICR_LSC);
	return 0;
}

static int e1000_close(net_device &netdev)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);

	adapter.flags |= __E1000_DOWN;
	e1000_down(adapter);
	e1000_power_down_phy(adapter);
	e1000_free_irq(adapter);
	e1000_free_all_tx_resources(adapter);
	e1000_free_all_rx_resources(adapter);
	return 0;
}

// --- the link ---

bool e1000_has_link(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	if (!adapter.hw.get_link_status)
		return true;
	e1000_check_for_link(adapter.hw);
	return !adapter.hw.get_link_status;
}

// The card's counters are of what has been since they were read.
void e1000_update_stats(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_hw &hw = adapter.hw;
	e1000_hw_stats &stats = adapter.stats;
	net_device &netdev = *adapter.netdev;

	if (!adapter.link_speed)
		return;
	stats.crcerrs += er32(hw, E1000_CRCERRS);
	stats.gprc += er32(hw, E1000_GPRC);
	stats.gorcl += er32(hw, E1000_GORCL);
	stats.mpc += er32(hw, E1000_MPC);
	stats.gptc += er32(hw, E1000_GPTC);
	stats.gotcl += er32(hw, E1000_GOTCL);
	stats.rnbc += er32(hw, E1000_RNBC);
	stats.ruc += er32(hw, E1000_RUC);
	stats.roc += er32(hw, E1000_ROC);
	stats.tpr += er32(hw, E1000_TPR);
	hw.tx_packet_delta = er32(hw, E1000_TPT);
	stats.tpt += hw.tx_packet_delta;
	stats.tsctc += er32(hw, E1000_TSCTC);
	netdev.stats.rx_errors = stats.crcerrs + stats.ruc + stats.roc;
	netdev.stats.rx_missed_errors = stats.mpc;
}

static void e1000_watchdog(delayed_work &work)
{
	TRACE(container_of(work, &e1000_adapter::watchdog_task).netdev);
	e1000_adapter &adapter = container_of(work, &e1000_adapter::watchdog_task);
	net_device &netdev = *adapter.netdev;
	e1000_hw &hw = adapter.hw;
	const bool link = e1000_has_link(adapter);

	if (link && !netif_carrier_ok(netdev)) {
		e1000_get_speed_and_duplex(hw, adapter.link_speed);
		_printk("%c6e1000: %s NIC Link is Up %d Mbps Full Duplex, Flow Control: None\n", KERN_SOH,
		        netdev.name.c_str(), adapter.link_speed);
		adapter.tx_timeout_factor = adapter.link_speed == SPEED_10 ? 16 : 1;
		ew32(hw, E1000_TCTL, er32(hw, E1000_TCTL) | E1000_TCTL_EN);
		netif_carrier_on(netdev);
	} else if (!link && netif_carrier_ok(netdev)) {
		adapter.link_speed = 0;
		_printk("%c6e1000: %s NIC Link is Down\n", KERN_SOH, netdev.name.c_str());
		netif_carrier_off(netdev);
	}
	e1000_update_stats(adapter);
	adapter.tpt_old = adapter.stats.tpt;

	const u64 gotcl = adapter.stats.gotcl - std::exchange(adapter.gotcl_old, adapter.stats.gotcl);
	const u64 gorcl = adapter.stats.gorcl - std::exchange(adapter.gorcl_old, adapter.stats.gorcl);

	if (!netif_carrier_ok(netdev) && E1000_DESC_UNUSED(adapter.tx_ring) + 1 < adapter.tx_ring.count) {
		// Without a link nothing of the ring is ever sent.
		++adapter.tx_timeout_count;
		schedule_work(adapter.reset_task);
		return;
	}
	// From 2000 a second, where as much goes out as comes in, to 8000, where all goes one way.
	if (adapter.itr_setting == 4) {
		const u64 goc = (gotcl + gorcl) / 10000;
		const u64 dif = (gotcl > gorcl ? gotcl - gorcl : gorcl - gotcl) / 10000;
		const u64 itr = goc ? dif * 6000 / goc + 2000 : 8000;

		ew32(hw, E1000_ITR, static_cast<u32>(1'000'000'000 / (itr * 256)));
	}
	// An interrupt without a cause cleans up what went by unseen.
	ew32(hw, E1000_ICS, E1000_ICR_RXDMT0);
	adapter.detect_tx_hung = true;
	if (!(adapter.flags & __E1000_DOWN))
		schedule_delayed_work(adapter.watchdog_task, 2 * HZ);
}

static void e1000_tx_timeout(net_device &netdev, u32)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);

	++adapter.tx_timeout_count;
	schedule_work(adapter.reset_task);
}

static void e1000_reset_task(delayed_work &work)
{
	TRACE(container_of(work, &e1000_adapter::reset_task).netdev);
	e1000_reinit_locked(container_of(work, &e1000_adapter::reset_task));
}

// --- settings ---

static int e1000_set_mac(net_device &netdev, const mac_addr &addr)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);

	if (!is_valid_ether_addr(addr))
		return -EADDRNOTAVAIL;
	eth_hw_addr_set(netdev, addr);
	adapter.hw.mac = addr;
	e1000_rar_set(adapter.hw, addr, 0);
	return 0;
}

static int e1000_change_mtu(net_device &netdev, u32 new_mtu)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);

	adapter.flags |= __E1000_RESETTING;
	adapter.hw.max_frame_size = new_mtu + ETH_HLEN + ETH_FCS_LEN;
	if (netif_running(netdev))
		e1000_down(adapter);
	// Where the card itself lets no longer frame in, a buffer need not be one of its sizes.
	adapter.rx_buffer_len = adapter.hw.max_frame_size == ETH_HLEN + ETH_DATA_LEN + ETH_FCS_LEN
	                                ? MAXIMUM_ETHERNET_VLAN_SIZE
	                                : E1000_RXBUFFER_2048;
	netdev.mtu = new_mtu;
	if (netif_running(netdev))
		e1000_up(adapter);
	else
		e1000_reset(adapter);
	adapter.flags &= ~__E1000_RESETTING;
	return 0;
}

// Tags are taken out and put in by the card both, or neither.
static netdev_features_t e1000_fix_features(net_device &netdev, netdev_features_t features)
{
	TRACE(netdev);
	return features & NETIF_F_HW_VLAN_CTAG_RX ? features | NETIF_F_HW_VLAN_CTAG_TX
	                                          : features & ~NETIF_F_HW_VLAN_CTAG_TX;
}

static int e1000_set_features(net_device &netdev, netdev_features_t features)
{
	TRACE(netdev);
	e1000_adapter &adapter = adapter_of(netdev);
	const netdev_features_t changed = features ^ netdev.features;

	if (changed & NETIF_F_HW_VLAN_CTAG_RX)
		e1000_vlan_mode(netdev, features);
	if (!(changed & NETIF_F_RXCSUM))
		return 0;
	netdev.features = features;
	adapter.rx_csum = features & NETIF_F_RXCSUM;
	if (netif_running(netdev))
		e1000_reinit_locked(adapter);
	else
		e1000_reset(adapter);
	return 1;
}

static const net_device_ops e1000_netdev_ops = {
	.ndo_open = e1000_open,
	.ndo_stop = e1000_close,
	.ndo_start_xmit = e1000_xmit_frame,
	.ndo_set_mac_address = e1000_set_mac,
	.ndo_change_mtu = e1000_change_mtu,
	.ndo_set_rx_mode = e1000_set_rx_mode,
	.ndo_fix_features = e1000_fix_features,
	.ndo_set_features = e1000_set_features,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_tx_timeout = e1000_tx_timeout,
};

// --- coming and going ---

e1000_adapter::~e1000_adapter() { netif_napi_del(napi); }

static int e1000_sw_init(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	adapter.tx_ring.count = E1000_DEFAULT_TXD;
	adapter.rx_ring.count = E1000_DEFAULT_RXD;
	ew32(adapter.hw, E1000_IMC, ~u32{0});
	adapter.flags |= __E1000_DOWN;
	return 0;
}

namespace {

void set_up(net_device &dev)
{
	ether_setup(dev);
	dev.priv_data = std::make_shared<e1000_adapter>();
}

} // namespace

int e1000_probe(pci_dev &pdev)
{
	TRACE();
	net_device &netdev = *alloc_netdev(init_net(), "eth%d", set_up, 1);
	e1000_adapter &adapter = adapter_of(netdev);
	e1000_hw &hw = adapter.hw;

	pdev.drvdata = &netdev;
	adapter.netdev = &netdev;
	adapter.pdev = &pdev;
	hw.back = &adapter;
	hw.hw_addr = pdev.bar0;
	hw.max_frame_size = netdev.mtu + ETH_HLEN + ETH_FCS_LEN;
	netdev.netdev_ops = &e1000_netdev_ops;
	e1000_set_ethtool_ops(netdev);
	netdev.watchdog_timeo = 5 * HZ;
	netif_napi_add(netdev, adapter.napi, e1000_clean);

	int err = e1000_sw_init(adapter);

	netdev.hw_features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_TSO;
	netdev.features = NETIF_F_HW_VLAN_CTAG_TX | netdev.hw_features;
	netdev.hw_features |= NETIF_F_RXCSUM;
	netdev.vlan_features = NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG;
	netdev.priv_flags |= IFF_UNICAST_FLT;
	netdev.min_mtu = ETH_ZLEN - ETH_HLEN;
	// Unlike the kernel's, which goes up to 16110: its jumbo frames come by another receive path.
	netdev.max_mtu = ETH_DATA_LEN;
	netdev.dellink = [](net_device &dev) { e1000_remove(*adapter_of(dev).pdev); };

	e1000_reset_hw(hw);
	if (!err)
		err = e1000_validate_eeprom_checksum(hw);
	if (!err)
		err = e1000_read_mac_addr(hw);
	eth_hw_addr_set(netdev, hw.mac);
	INIT_DELAYED_WORK(adapter.watchdog_task, e1000_watchdog);
	INIT_DELAYED_WORK(adapter.reset_task, e1000_reset_task);
	e1000_reset(adapter);
	if (!err)
		err = register_netdevice(netdev);
	if (err) {
		pdev.drvdata = nullptr;
		free_netdev(netdev);
		return err;
	}
	netif_carrier_off(netdev);
	return 0;
}

void e1000_remove(pci_dev &pdev)
{
	TRACE(pdev.drvdata);
	net_device &netdev = *std::exchange(pdev.drvdata, nullptr);

	e1000_down_and_stop(adapter_of(netdev));
	unregister_netdevice(netdev);
}

} // namespace skbwalk
