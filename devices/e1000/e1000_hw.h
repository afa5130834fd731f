// SPDX-License-Identifier: GPL-2.0-only
//
// The 82540EM as a driver sees it (drivers/net/ethernet/intel/e1000/e1000_hw.h; Intel's manual of the
// 8254x): registers, their bits, and descriptors as they lie in memory, little-endian. Both halves use it:
// the driver (e1000_*.cpp) and the card (card.cpp), which share nothing else.
#pragma once

#include <bit>

#include "stack/kernel/types.h"

namespace skbwalk {

// --- registers, by their offset ---
constexpr u32 E1000_CTRL = 0x00000, E1000_STATUS = 0x00008, E1000_EERD = 0x00014, E1000_MDIC = 0x00020,
	      E1000_VET = 0x00038, E1000_ICR = 0x000C0, E1000_ITR = 0x000C4, E1000_ICS = 0x000C8,
	      E1000_IMS = 0x000D0, E1000_IMC = 0x000D8, E1000_RCTL = 0x00100, E1000_TCTL = 0x00400,
	      E1000_TIPG = 0x00410, E1000_AIT = 0x00458, E1000_PBA = 0x01000, E1000_RDBAL = 0x02800,
	      E1000_RDBAH = 0x02804, E1000_RDLEN = 0x02808, E1000_RDH = 0x02810, E1000_RDT = 0x02818,
	      E1000_RDTR = 0x02820, E1000_RADV = 0x0282C, E1000_TDBAL = 0x03800, E1000_TDBAH = 0x03804,
	      E1000_TDLEN = 0x03808, E1000_TDH = 0x03810, E1000_TDT = 0x03818, E1000_TIDV = 0x03820,
	      E1000_TXDCTL = 0x03828, E1000_TADV = 0x0382C, E1000_CRCERRS = 0x04000, E1000_MPC = 0x04010,
	      E1000_GPRC = 0x04074, E1000_GPTC = 0x04080, E1000_GORCL = 0x04088, E1000_GOTCL = 0x04090,
	      E1000_RNBC = 0x040A0, E1000_RUC = 0x040A4, E1000_ROC = 0x040AC, E1000_TPR = 0x040D0,
	      E1000_TPT = 0x040D4, E1000_TSCTC = 0x040F8, E1000_RXCSUM = 0x05000, E1000_MTA = 0x05200,
	      E1000_RA = 0x05400, E1000_VFTA = 0x05600, E1000_WUC = 0x05800, E1000_MANC = 0x05820;
constexpr u32 E1000_NUM_MTA_REGISTERS = 128, E1000_RAR_ENTRIES = 15, E1000_VLAN_FILTER_TBL_SIZE = 128;

constexpr u32 E1000_CTRL_FD = 0x00000001, E1000_CTRL_ASDE = 0x00000020, E1000_CTRL_SLU = 0x00000040,
	      E1000_CTRL_RST = 0x04000000, E1000_CTRL_VME = 0x40000000;
constexpr u32 E1000_STATUS_FD = 0x00000001, E1000_STATUS_LU = 0x00000002, E1000_STATUS_TXOFF = 0x00000010,
	      E1000_STATUS_SPEED_100 = 0x00000040, E1000_STATUS_SPEED_1000 = 0x00000080;

constexpr u32 E1000_ICR_TXDW = 0x00000001, E1000_ICR_TXQE = 0x00000002, E1000_ICR_LSC = 0x00000004,
	      E1000_ICR_RXSEQ = 0x00000008, E1000_ICR_RXDMT0 = 0x00000010, E1000_ICR_RXO = 0x00000040,
	      E1000_ICR_RXT0 = 0x00000080;
constexpr u32 IMS_ENABLE_MASK =
	E1000_ICR_RXT0 | E1000_ICR_TXDW | E1000_ICR_RXDMT0 | E1000_ICR_RXSEQ | E1000_ICR_LSC;

constexpr u32 E1000_RCTL_EN = 0x00000002, E1000_RCTL_SBP = 0x00000004, E1000_RCTL_UPE = 0x00000008,
	      E1000_RCTL_MPE = 0x00000010, E1000_RCTL_LPE = 0x00000020, E1000_RCTL_RDMTS_SHIFT = 8,
	      E1000_RCTL_RDMTS_HALF = 0x00000000, E1000_RCTL_MO_SHIFT = 12, E1000_RCTL_BAM = 0x00008000,
	      E1000_RCTL_SZ_SHIFT = 16, E1000_RCTL_SZ_2048 = 0x00000000, E1000_RCTL_SZ_4096 = 0x00030000,
	      E1000_RCTL_VFE = 0x00040000, E1000_RCTL_BSEX = 0x02000000, E1000_RCTL_SECRC = 0x04000000;
constexpr u32 E1000_TCTL_EN = 0x00000002, E1000_TCTL_PSP = 0x00000008, E1000_TCTL_CT = 0x00000ff0,
	      E1000_TCTL_COLD = 0x003ff000, E1000_TCTL_RTLC = 0x01000000;
constexpr u32 E1000_COLLISION_THRESHOLD = 15, E1000_CT_SHIFT = 4, E1000_COLLISION_DISTANCE = 63,
	      E1000_COLD_SHIFT = 12;
constexpr u32 E1000_RXCSUM_TUOFL = 0x00000200;
constexpr u32 E1000_TXDCTL_WTHRESH = 0x003F0000, E1000_TXDCTL_FULL_TX_DESC_WB = 0x01010000;
constexpr u32 E1000_PBA_48K = 0x0030;
constexpr u32 E1000_MANC_ARP_EN = 0x00002000;
constexpr u32 DEFAULT_82543_TIPG_IPGT_COPPER = 8, DEFAULT_82543_TIPG_IPGR1 = 8, DEFAULT_82543_TIPG_IPGR2 = 6,
	      E1000_TIPG_IPGR1_SHIFT = 10, E1000_TIPG_IPGR2_SHIFT = 20;

// The PHY is behind MDIC, the EEPROM behind EERD: a request is written, and read again until it is done.
constexpr u32 E1000_MDIC_DATA_MASK = 0x0000FFFF, E1000_MDIC_REG_SHIFT = 16, E1000_MDIC_PHY_SHIFT = 21,
	      E1000_MDIC_OP_WRITE = 0x04000000, E1000_MDIC_OP_READ = 0x08000000,
	      E1000_MDIC_READY = 0x10000000, E1000_MDIC_ERROR = 0x40000000;
constexpr u32 PHY_CTRL = 0, PHY_STATUS = 1, PHY_ID1 = 2, PHY_ID2 = 3;
constexpr u16 MII_CR_POWER_DOWN = 0x0800, MII_SR_LINK_STATUS = 0x0004, MII_SR_AUTONEG_COMPLETE = 0x0020;
constexpr u32 M88E1011_I_PHY_ID = 0x01410C20;
constexpr u32 E1000_EEPROM_RW_REG_START = 1, E1000_EEPROM_RW_REG_DONE = 0x10, E1000_EEPROM_RW_ADDR_SHIFT = 8,
	      E1000_EEPROM_RW_REG_DATA = 16;
constexpr u16 EEPROM_CHECKSUM_REG = 0x3F, EEPROM_SUM = 0xBABA;

// --- descriptors ---
struct le16 {
	u8 b[2];
	[[nodiscard]] constexpr u16 get() const { return static_cast<u16>(b[0] | b[1] << 8); }
	constexpr void set(u32 v)
	{
		b[0] = static_cast<u8>(v);
		b[1] = static_cast<u8>(v >> 8);
	}
};
struct le32 {
	le16 low, high;
	[[nodiscard]] constexpr u32 get() const { return low.get() | static_cast<u32>(high.get()) << 16; }
	constexpr void set(u32 v)
	{
		low.set(v & 0xffff);
		high.set(v >> 16);
	}
};
struct le64 {
	le32 low, high;
	[[nodiscard]] constexpr u64 get() const { return low.get() | static_cast<u64>(high.get()) << 32; }
	constexpr void set(u64 v)
	{
		low.set(static_cast<u32>(v));
		high.set(static_cast<u32>(v >> 32));
	}
};

struct e1000_rx_desc {
	le64 buffer_addr;
	le16 length;
	le16 csum;
	u8 status;
	u8 errors;
	le16 special;
};
constexpr u8 E1000_RXD_STAT_DD = 0x01, E1000_RXD_STAT_EOP = 0x02, E1000_RXD_STAT_IXSM = 0x04,
	     E1000_RXD_STAT_VP = 0x08, E1000_RXD_STAT_TCPCS = 0x20, E1000_RXD_STAT_IPCS = 0x40;
constexpr u8 E1000_RXD_ERR_CE = 0x01, E1000_RXD_ERR_SE = 0x02, E1000_RXD_ERR_SEQ = 0x04,
	     E1000_RXD_ERR_CXE = 0x10, E1000_RXD_ERR_TCPE = 0x20, E1000_RXD_ERR_IPE = 0x40,
	     E1000_RXD_ERR_RXE = 0x80;
constexpr u8 E1000_RXD_ERR_FRAME_ERR_MASK =
	E1000_RXD_ERR_CE | E1000_RXD_ERR_SE | E1000_RXD_ERR_SEQ | E1000_RXD_ERR_CXE | E1000_RXD_ERR_RXE;
constexpr u16 E1000_RXD_SPC_VLAN_MASK = 0x0FFF;

struct e1000_tx_desc {
	le64 buffer_addr;
	le32 lower;
	le32 upper;
};
// The other kind of 16 bytes in the transmit ring: how the packets after it are summed and cut.
struct e1000_context_desc {
	u8 ipcss, ipcso;
	le16 ipcse;
	u8 tucss, tucso;
	le16 tucse;
	le32 cmd_and_length;
	u8 status;
	u8 hdr_len;
	le16 mss;
};
static_assert(sizeof(e1000_rx_desc) == 16 && alignof(e1000_rx_desc) == 1);
static_assert(sizeof(e1000_tx_desc) == 16 && alignof(e1000_tx_desc) == 1);
static_assert(sizeof(e1000_context_desc) == 16 && alignof(e1000_context_desc) == 1);

constexpr u32 E1000_TXD_DTYP_D = 0x00100000, E1000_TXD_CMD_EOP = 0x01000000, E1000_TXD_CMD_IFCS = 0x02000000,
	      E1000_TXD_CMD_RS = 0x08000000, E1000_TXD_CMD_DEXT = 0x20000000, E1000_TXD_CMD_VLE = 0x40000000,
	      E1000_TXD_CMD_IDE = 0x80000000;
// In a context descriptor.
constexpr u32 E1000_TXD_CMD_TCP = 0x01000000, E1000_TXD_CMD_IP = 0x02000000, E1000_TXD_CMD_TSE = 0x04000000;
constexpr u32 E1000_TXD_POPTS_IXSM = 0x01, E1000_TXD_POPTS_TXSM = 0x02;
constexpr u32 E1000_TXD_STAT_DD = 0x00000001;

constexpr u32 MAXIMUM_ETHERNET_VLAN_SIZE = 1522, MAX_JUMBO_FRAME_SIZE = 0x3F00, ETH_FCS_LEN = 4;

} // namespace skbwalk
