// SPDX-License-Identifier: GPL-2.0-only
//
// Rings of drivers/net/ethernet/intel/e1000/e1000_main.c: a ring is memory that driver and card share
// (dma_alloc_coherent), and beside it, for each descriptor, what the driver knows of its buffer. Made at
// open, told to the card (e1000_configure_tx, e1000_configure_rx), emptied when the card was stopped, freed
// at close.
#include <algorithm>

#include "devices/e1000/e1000.h"

namespace skbwalk {

namespace {

constexpr u32 page_align(u32 bytes) { return (bytes + 4095) & ~4095u; }

} // namespace

static int e1000_setup_tx_resources(e1000_adapter &adapter, e1000_tx_ring &txdr)
{
	TRACE(adapter.netdev);
	txdr.buffer_info = std::vector<e1000_tx_buffer>(txdr.count);
	txdr.size = page_align(txdr.count * static_cast<u32>(sizeof(e1000_tx_desc)));
	txdr.desc = static_cast<e1000_tx_desc *>(
		dma_alloc_coherent(*adapter.pdev->dev, txdr.size, txdr.dma, GFP_KERNEL));
	if (!txdr.desc) {
		txdr.buffer_info.clear();
		return -ENOMEM;
	}
	txdr.next_to_use = 0;
	txdr.next_to_clean = 0;
	return 0;
}

int e1000_setup_all_tx_resources(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	return e1000_setup_tx_resources(adapter, adapter.tx_ring);
}

static int e1000_setup_rx_resources(e1000_adapter &adapter, e1000_rx_ring &rxdr)
{
	TRACE(adapter.netdev);
	rxdr.buffer_info = std::vector<e1000_rx_buffer>(rxdr.count);
	rxdr.size = page_align(rxdr.count * static_cast<u32>(sizeof(e1000_rx_desc)));
	rxdr.desc = static_cast<e1000_rx_desc *>(
		dma_alloc_coherent(*adapter.pdev->dev, rxdr.size, rxdr.dma, GFP_KERNEL));
	if (!rxdr.desc) {
		rxdr.buffer_info.clear();
		return -ENOMEM;
	}
	rxdr.next_to_use = 0;
	rxdr.next_to_clean = 0;
	return 0;
}

int e1000_setup_all_rx_resources(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	return e1000_setup_rx_resources(adapter, adapter.rx_ring);
}

void e1000_configure_tx(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_hw &hw = adapter.hw;
	const u64 tdba = adapter.tx_ring.dma;

	ew32(hw, E1000_TDLEN, adapter.tx_ring.count * static_cast<u32>(sizeof(e1000_tx_desc)));
	ew32(hw, E1000_TDBAH, static_cast<u32>(tdba >> 32));
	ew32(hw, E1000_TDBAL, static_cast<u32>(tdba));
	ew32(hw, E1000_TDT, 0);
	ew32(hw, E1000_TDH, 0);
	ew32(hw, E1000_TIPG,
	     DEFAULT_82543_TIPG_IPGT_COPPER | DEFAULT_82543_TIPG_IPGR1 << E1000_TIPG_IPGR1_SHIFT |
	             DEFAULT_82543_TIPG_IPGR2 << E1000_TIPG_IPGR2_SHIFT);
	ew32(hw, E1000_TIDV, adapter.tx_int_delay);
	ew32(hw, E1000_TADV, adapter.tx_abs_int_delay);

	u32 tctl = er32(hw, E1000_TCTL) & ~E1000_TCTL_CT;

	tctl |= E1000_TCTL_PSP | E1000_TCTL_RTLC | E1000_COLLISION_THRESHOLD << E1000_CT_SHIFT;
	e1000_config_collision_dist(hw);
	adapter.txd_cmd = E1000_TXD_CMD_EOP | E1000_TXD_CMD_IFCS;
	if (adapter.tx_int_delay)
		adapter.txd_cmd |= E1000_TXD_CMD_IDE;
	adapter.txd_cmd |= E1000_TXD_CMD_RS;
	ew32(hw, E1000_TCTL, tctl);
}

void e1000_setup_rctl(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_hw &hw = adapter.hw;
	u32 rctl = er32(hw, E1000_RCTL);

	rctl &= ~(3u << E1000_RCTL_MO_SHIFT);
	rctl |= E1000_RCTL_BAM | E1000_RCTL_RDMTS_HALF;
	rctl &= ~E1000_RCTL_SBP;
	rctl &= ~E1000_RCTL_LPE;
	// Buffers of two kilobytes, of which a frame without E1000_RCTL_LPE fills no more than 1522.
	rctl &= ~(E1000_RCTL_SZ_4096 | E1000_RCTL_BSEX);
	rctl |= E1000_RCTL_SZ_2048;
	ew32(hw, E1000_RCTL, rctl);
}

void e1000_configure_rx(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_hw &hw = adapter.hw;
	const u32 rctl = er32(hw, E1000_RCTL);
	const u64 rdba = adapter.rx_ring.dma;

	ew32(hw, E1000_RCTL, rctl & ~E1000_RCTL_EN);
	ew32(hw, E1000_RDTR, adapter.rx_int_delay);
	ew32(hw, E1000_RADV, adapter.rx_abs_int_delay);
	if (adapter.itr_setting)
		ew32(hw, E1000_ITR, 1'000'000'000 / (adapter.itr * 256));
	ew32(hw, E1000_RDLEN, adapter.rx_ring.count * static_cast<u32>(sizeof(e1000_rx_desc)));
	ew32(hw, E1000_RDBAH, static_cast<u32>(rdba >> 32));
	ew32(hw, E1000_RDBAL, static_cast<u32>(rdba));
	ew32(hw, E1000_RDT, 0);
	ew32(hw, E1000_RDH, 0);

	u32 rxcsum = er32(hw, E1000_RXCSUM);

	rxcsum = adapter.rx_csum ? rxcsum | E1000_RXCSUM_TUOFL : rxcsum & ~E1000_RXCSUM_TUOFL;
	ew32(hw, E1000_RXCSUM, rxcsum);
	ew32(hw, E1000_RCTL, rctl | E1000_RCTL_EN);
}

// --- empty, and gone ---

static void e1000_clean_tx_ring(e1000_adapter &adapter, e1000_tx_ring &tx_ring)
{
	TRACE(adapter.netdev);
	for (e1000_tx_buffer &buffer_info : tx_ring.buffer_info)
		e1000_unmap_and_free_tx_resource(adapter, buffer_info, 0);
	netdev_reset_queue(*adapter.netdev);
	tx_ring.buffer_info = std::vector<e1000_tx_buffer>(tx_ring.count);
	std::fill_n(tx_ring.desc, tx_ring.count, e1000_tx_desc{});
	tx_ring.next_to_use = 0;
	tx_ring.next_to_clean = 0;
	tx_ring.last_tx_tso = false;
	ew32(adapter.hw, E1000_TDH, 0);
	ew32(adapter.hw, E1000_TDT, 0);
}

void e1000_clean_all_tx_rings(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_clean_tx_ring(adapter, adapter.tx_ring);
}

static void e1000_clean_rx_ring(e1000_adapter &adapter, e1000_rx_ring &rx_ring)
{
	TRACE(adapter.netdev);
	for (e1000_rx_buffer &buffer_info : rx_ring.buffer_info) {
		if (buffer_info.dma)
			dma_unmap_single(*adapter.pdev->dev, buffer_info.dma, adapter.rx_buffer_len,
			                 DMA_FROM_DEVICE);
		if (buffer_info.rxbuf.data)
			page_frag_free(*buffer_info.rxbuf.pg);
		buffer_info = {};
	}
	std::fill_n(rx_ring.desc, rx_ring.count, e1000_rx_desc{});
	rx_ring.next_to_use = 0;
	rx_ring.next_to_clean = 0;
	ew32(adapter.hw, E1000_RDH, 0);
	ew32(adapter.hw, E1000_RDT, 0);
}

void e1000_clean_all_rx_rings(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_clean_rx_ring(adapter, adapter.rx_ring);
}

static void e1000_free_tx_resources(e1000_adapter &adapter, e1000_tx_ring &tx_ring)
{
	TRACE(adapter.netdev);
	e1000_clean_tx_ring(adapter, tx_ring);
	tx_ring.buffer_info.clear();
	dma_free_coherent(*adapter.pdev->dev, tx_ring.size, tx_ring.desc, tx_ring.dma);
	tx_ring.desc = nullptr;
}

void e1000_free_all_tx_resources(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_free_tx_resources(adapter, adapter.tx_ring);
}

static void e1000_free_rx_resources(e1000_adapter &adapter, e1000_rx_ring &rx_ring)
{
	TRACE(adapter.netdev);
	e1000_clean_rx_ring(adapter, rx_ring);
	rx_ring.buffer_info.clear();
	dma_free_coherent(*adapter.pdev->dev, rx_ring.size, rx_ring.desc, rx_ring.dma);
	rx_ring.desc = nullptr;
}

void e1000_free_all_rx_resources(e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	e1000_free_rx_resources(adapter, adapter.rx_ring);
}

} // namespace skbwalk
