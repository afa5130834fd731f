// SPDX-License-Identifier: GPL-2.0-only
//
// The driver of an e1000 (drivers/net/ethernet/intel/e1000/e1000.h): what it keeps of a card, and how its
// files divide it: e1000_main.cpp (coming up and going down, interrupts, polling, watchdog), e1000_tx.cpp,
// e1000_rx.cpp, e1000_ring.cpp (rings), e1000_hw.cpp (registers), e1000_ethtool.cpp. The only chip is the
// 82540EM, which qemu's "e1000" is too: what the kernel's file does for others is left out, and so are jumbo
// frames, VLAN filters, wake on LAN, manageability, the PHY's setup.
//
// Of the card it knows its registers (hw_addr), its DMA and its interrupt's number, and nothing else.
#pragma once

#include <vector>

#include "devices/e1000/e1000_hw.h"
#include "stack/core/ethtool.h"
#include "stack/core/gro.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/core/page_frag.h"
#include "stack/ethernet/eth.h"
#include "stack/kernel/dma_mapping.h"
#include "stack/kernel/interrupt.h"

namespace skbwalk {

class mmio;
struct e1000_adapter;

// What a bus tells a driver of a card that it has found.
struct pci_dev {
	device *dev = nullptr; // for DMA
	mmio *bar0 = nullptr;
	unsigned irq = 0;
	net_device *drvdata = nullptr;
};

// The bus: a driver takes the card, as "eth%d" in the initial namespace, or gives it back.
int e1000_probe(pci_dev &pdev);
void e1000_remove(pci_dev &pdev);

// Chips before the 82544 have rings of 256 at most; this one is younger.
constexpr u32 E1000_DEFAULT_TXD = 256, E1000_MAX_82544_TXD = 4096, E1000_MIN_TXD = 48,
	      E1000_DEFAULT_RXD = 256, E1000_MAX_82544_RXD = 4096, E1000_MIN_RXD = 48,
	      E1000_RX_BUFFER_WRITE = 16;
constexpr u32 REQ_TX_DESCRIPTOR_MULTIPLE = 8, REQ_RX_DESCRIPTOR_MULTIPLE = 8;
constexpr u32 E1000_MIN_ITR_USECS = 10, E1000_MAX_ITR_USECS = 10000;
constexpr u32 E1000_HEADROOM = NET_SKB_PAD, E1000_RXBUFFER_2048 = 2048;
constexpr int SPEED_10 = 10, SPEED_100 = 100, SPEED_1000 = 1000;

struct e1000_tx_buffer {
	skb_ptr skb;
	dma_addr_t dma = 0;
	u32 time_stamp = 0; // jiffies; 0: nothing is there
	u16 length = 0;
	u16 next_to_watch = 0; // of a packet's first: its last
	bool mapped_as_page = false;
	u16 segs = 0;
	u32 bytecount = 0;
};
struct e1000_rx_buffer {
	netdev_frag rxbuf;
	dma_addr_t dma = 0;
};

struct e1000_tx_ring {
	e1000_tx_desc *desc = nullptr;
	dma_addr_t dma = 0;
	u32 size = 0;
	u32 count = 0;
	u32 next_to_use = 0;
	u32 next_to_clean = 0;
	std::vector<e1000_tx_buffer> buffer_info;
	bool last_tx_tso = false;
};
struct e1000_rx_ring {
	e1000_rx_desc *desc = nullptr;
	dma_addr_t dma = 0;
	u32 size = 0;
	u32 count = 0;
	u32 next_to_use = 0;
	u32 next_to_clean = 0;
	std::vector<e1000_rx_buffer> buffer_info;
};
// One stays unused, so that a full ring differs from an empty one.
template <class R> u32 E1000_DESC_UNUSED(const R &ring)
{
	return (ring.next_to_clean > ring.next_to_use ? 0 : ring.count) + ring.next_to_clean -
	       ring.next_to_use - 1;
}

struct e1000_hw {
	mmio *hw_addr = nullptr;
	e1000_adapter *back = nullptr;
	mac_addr mac{};
	u32 max_frame_size = 0;
	bool get_link_status = true;
	u32 current_ifs_val = 0;
	u32 tx_packet_delta = 0;
};
u32 er32(e1000_hw &hw, u32 reg);
void ew32(e1000_hw &hw, u32 reg, u32 value);

struct e1000_hw_stats {
	u64 gprc = 0, gptc = 0, gorcl = 0, gotcl = 0, mpc = 0, rnbc = 0, ruc = 0, roc = 0, crcerrs = 0,
	    tpr = 0, tpt = 0, tsctc = 0;
};

enum latency_range : u16 { lowest_latency, low_latency, bulk_latency };

// adapter->flags
constexpr u32 __E1000_TESTING = 1, __E1000_RESETTING = 2, __E1000_DOWN = 4;

struct e1000_adapter {
	~e1000_adapter();

	net_device *netdev = nullptr;
	pci_dev *pdev = nullptr;
	e1000_hw hw;
	e1000_hw_stats stats;
	u32 rx_buffer_len = MAXIMUM_ETHERNET_VLAN_SIZE;
	u16 link_speed = 0;
	bool rx_csum = false;
	u32 flags = 0;

	// Interrupt throttling.
	// 3: dynamic, with low latency at least; 1 without that; 4: by how even both directions are; 0: off;
	// else the rate.
	u32 itr_setting = 3;
	u32 itr = 20000; // interrupts a second
	u16 tx_itr = 0, rx_itr = 0;
	u32 total_tx_bytes = 0, total_tx_packets = 0, total_rx_bytes = 0, total_rx_packets = 0;

	e1000_tx_ring tx_ring;
	u32 restart_queue = 0;
	u32 txd_cmd = 0;
	u32 tx_int_delay = 8, tx_abs_int_delay = 32;
	u32 tx_timeout_count = 0, tx_timeout_factor = 1;
	u64 tpt_old = 0, gotcl_old = 0, gorcl_old = 0;
	bool detect_tx_hung = false;

	e1000_rx_ring rx_ring;
	u32 rx_int_delay = 0, rx_abs_int_delay = 8;
	u64 hw_csum_err = 0, hw_csum_good = 0;
	u32 alloc_rx_buff_failed = 0;
	bool discarding = false;
	napi_struct napi;

	delayed_work watchdog_task;
	delayed_work reset_task;
};

// --- e1000_hw.cpp ---
void e1000_reset_hw(e1000_hw &hw);
int e1000_init_hw(e1000_hw &hw);
int e1000_validate_eeprom_checksum(e1000_hw &hw);
int e1000_read_mac_addr(e1000_hw &hw);
void e1000_rar_set(e1000_hw &hw, const mac_addr &addr, u32 index);
void e1000_config_collision_dist(e1000_hw &hw);
int e1000_check_for_link(e1000_hw &hw);
int e1000_read_phy_reg(e1000_hw &hw, u32 reg, u16 &data);
int e1000_write_phy_reg(e1000_hw &hw, u32 reg, u16 data);
void e1000_get_speed_and_duplex(e1000_hw &hw, u16 &speed);
void e1000_reset_adaptive(e1000_hw &hw);

// --- e1000_main.cpp ---
int e1000_up(e1000_adapter &adapter);
void e1000_down(e1000_adapter &adapter);
void e1000_reset(e1000_adapter &adapter);
void e1000_reinit_locked(e1000_adapter &adapter);
void e1000_update_stats(e1000_adapter &adapter);
bool e1000_has_link(e1000_adapter &adapter);

// --- e1000_ring.cpp ---
int e1000_setup_all_tx_resources(e1000_adapter &adapter);
int e1000_setup_all_rx_resources(e1000_adapter &adapter);
void e1000_free_all_tx_resources(e1000_adapter &adapter);
void e1000_free_all_rx_resources(e1000_adapter &adapter);
void e1000_configure_tx(e1000_adapter &adapter);
void e1000_setup_rctl(e1000_adapter &adapter);
void e1000_configure_rx(e1000_adapter &adapter);
void e1000_clean_all_tx_rings(e1000_adapter &adapter);
void e1000_clean_all_rx_rings(e1000_adapter &adapter);

// --- e1000_tx.cpp ---
netdev_tx_t e1000_xmit_frame(skb_ptr &skb, net_device &netdev);
bool e1000_clean_tx_irq(e1000_adapter &adapter, e1000_tx_ring &tx_ring);
void e1000_unmap_and_free_tx_resource(e1000_adapter &adapter, e1000_tx_buffer &buffer_info, int budget);

// --- e1000_rx.cpp ---
bool e1000_clean_rx_irq(e1000_adapter &adapter, e1000_rx_ring &rx_ring, int &work_done, int work_to_do);
void e1000_alloc_rx_buffers(e1000_adapter &adapter, e1000_rx_ring &rx_ring, u32 cleaned_count);

// --- e1000_ethtool.cpp ---
void e1000_set_ethtool_ops(net_device &netdev);

} // namespace skbwalk
