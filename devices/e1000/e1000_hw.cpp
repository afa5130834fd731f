// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/ethernet/intel/e1000/e1000_hw.c, as much of it as an 82540EM on a copper wire needs: reset,
// the address from the EEPROM, receive addresses, what the PHY says of the link. Left out: the PHY's setup,
// flow control, LEDs, other chips.
#include "devices/e1000/card.h"
#include "devices/e1000/e1000.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

namespace {

constexpr u32 phy_addr = 1;
constexpr int attempts_max = 64;

} // namespace

// not traced: macros in the kernel
u32 er32(e1000_hw &hw, u32 reg) { return hw.hw_addr->read(reg); }
// not traced: macros in the kernel
void ew32(e1000_hw &hw, u32 reg, u32 value) { hw.hw_addr->write(reg, value); }

// Unlike the kernel, which clocks the bits of a word through EECD on this chip, it asks EERD.
static int e1000_read_eeprom(e1000_hw &hw, u16 offset, u16 &data)
{
	TRACE();
	ew32(hw, E1000_EERD,
	     static_cast<u32>(offset) << E1000_EEPROM_RW_ADDR_SHIFT | E1000_EEPROM_RW_REG_START);
	for (int i = 0; i < attempts_max; ++i) {
		const u32 eerd = er32(hw, E1000_EERD);

		if (eerd & E1000_EEPROM_RW_REG_DONE) {
			data = static_cast<u16>(eerd >> E1000_EEPROM_RW_REG_DATA);
			return 0;
		}
	}
	return -EIO;
}

int e1000_validate_eeprom_checksum(e1000_hw &hw)
{
	TRACE();
	u16 checksum = 0;

	for (u16 i = 0; i <= EEPROM_CHECKSUM_REG; ++i) {
		u16 word = 0;

		if (const int err = e1000_read_eeprom(hw, i, word))
			return err;
		checksum = static_cast<u16>(checksum + word);
	}
	return checksum == EEPROM_SUM ? 0 : -EIO;
}

int e1000_read_mac_addr(e1000_hw &hw)
{
	TRACE();
	for (u16 i = 0; i < ETH_ALEN / 2; ++i) {
		u16 word = 0;

		if (const int err = e1000_read_eeprom(hw, i, word))
			return err;
		hw.mac[2 * i] = static_cast<u8>(word);
		hw.mac[2 * i + 1u] = static_cast<u8>(word >> 8);
	}
	return 0;
}

int e1000_read_phy_reg(e1000_hw &hw, u32 reg, u16 &data)
{
	TRACE();
	ew32(hw, E1000_MDIC,
	     reg << E1000_MDIC_REG_SHIFT | phy_addr << E1000_MDIC_PHY_SHIFT | E1000_MDIC_OP_READ);
	for (int i = 0; i < attempts_max; ++i) {
		const u32 mdic = er32(hw, E1000_MDIC);

		if (!(mdic & E1000_MDIC_READY))
			continue;
		if (mdic & E1000_MDIC_ERROR)
			return -EIO;
		data = static_cast<u16>(mdic & E1000_MDIC_DATA_MASK);
		return 0;
	}
	return -EIO;
}

int e1000_write_phy_reg(e1000_hw &hw, u32 reg, u16 data)
{
	TRACE();
	ew32(hw, E1000_MDIC,
	     data | reg << E1000_MDIC_REG_SHIFT | phy_addr << E1000_MDIC_PHY_SHIFT | E1000_MDIC_OP_WRITE);
	for (int i = 0; i < attempts_max; ++i)
		if (er32(hw, E1000_MDIC) & E1000_MDIC_READY)
			return 0;
	return -EIO;
}

// Unlike the kernel, which sleeps 10 ms around it, the reset is over at once: only a task could wait.
void e1000_reset_hw(e1000_hw &hw)
{
	TRACE();
	ew32(hw, E1000_IMC, ~u32{0});
	ew32(hw, E1000_RCTL, 0);
	ew32(hw, E1000_TCTL, E1000_TCTL_PSP);
	ew32(hw, E1000_CTRL, er32(hw, E1000_CTRL) | E1000_CTRL_RST);
	ew32(hw, E1000_MANC, er32(hw, E1000_MANC) & ~E1000_MANC_ARP_EN);
	ew32(hw, E1000_IMC, ~u32{0});
	er32(hw, E1000_ICR);
}

void e1000_rar_set(e1000_hw &hw, const mac_addr &addr, u32 index)
{
	TRACE();
	const u32 low = static_cast<u32>(addr[0]) | static_cast<u32>(addr[1]) << 8 |
	                static_cast<u32>(addr[2]) << 16 | static_cast<u32>(addr[3]) << 24;
	const u32 high = static_cast<u32>(addr[4]) | static_cast<u32>(addr[5]) << 8 | 1U << 31;

	ew32(hw, E1000_RA + 8 * index, low);
	ew32(hw, E1000_RA + 8 * index + 4, high);
}

static void e1000_init_rx_addrs(e1000_hw &hw)
{
	TRACE();
	e1000_rar_set(hw, hw.mac, 0);
	for (u32 i = 1; i < E1000_RAR_ENTRIES; ++i) {
		ew32(hw, E1000_RA + 8 * i, 0);
		ew32(hw, E1000_RA + 8 * i + 4, 0);
	}
}

static void e1000_clear_vfta(e1000_hw &hw)
{
	TRACE();
	for (u32 i = 0; i < E1000_VLAN_FILTER_TBL_SIZE; ++i)
		ew32(hw, E1000_VFTA + 4 * i, 0);
}

static int e1000_setup_link(e1000_hw &hw)
{
	TRACE();
	ew32(hw, E1000_CTRL, er32(hw, E1000_CTRL) | E1000_CTRL_SLU | E1000_CTRL_ASDE | E1000_CTRL_FD);
	return 0;
}

static void e1000_clear_hw_cntrs(e1000_hw &hw)
{
	TRACE();
	for (u32 reg = E1000_CRCERRS; reg <= E1000_TSCTC; reg += 4)
		er32(hw, reg);
}

int e1000_init_hw(e1000_hw &hw)
{
	TRACE();
	ew32(hw, E1000_VET, 0);
	e1000_clear_vfta(hw);
	e1000_init_rx_addrs(hw);
	for (u32 i = 0; i < E1000_NUM_MTA_REGISTERS; ++i)
		ew32(hw, E1000_MTA + 4 * i, 0);

	const int ret = e1000_setup_link(hw);

	ew32(hw, E1000_TXDCTL,
	     (er32(hw, E1000_TXDCTL) & ~E1000_TXDCTL_WTHRESH) | E1000_TXDCTL_FULL_TX_DESC_WB);
	e1000_clear_hw_cntrs(hw);
	return ret;
}

void e1000_config_collision_dist(e1000_hw &hw)
{
	TRACE();
	ew32(hw, E1000_TCTL,
	     (er32(hw, E1000_TCTL) & ~E1000_TCTL_COLD) | E1000_COLLISION_DISTANCE << E1000_COLD_SHIFT);
}

int e1000_check_for_link(e1000_hw &hw)
{
	TRACE();
	u16 phy_data = 0;

	if (!hw.get_link_status)
		return 0;
	// The bit stays low until it was read: only what is read next is now.
	for (int i = 0; i < 2; ++i)
		if (const int err = e1000_read_phy_reg(hw, PHY_STATUS, phy_data))
			return err;
	if (!(phy_data & MII_SR_LINK_STATUS))
		return 0;
	hw.get_link_status = false;
	e1000_config_collision_dist(hw);
	return 0;
}

void e1000_get_speed_and_duplex(e1000_hw &hw, u16 &speed)
{
	TRACE();
	const u32 status = er32(hw, E1000_STATUS);

	speed = status & E1000_STATUS_SPEED_1000  ? u16{SPEED_1000}
	        : status & E1000_STATUS_SPEED_100 ? u16{SPEED_100}
	                                          : u16{SPEED_10};
}

// The gap between frames in half duplex, which no wire here is.
void e1000_reset_adaptive(e1000_hw &hw)
{
	TRACE();
	hw.current_ifs_val = 0;
	ew32(hw, E1000_AIT, 0);
}

} // namespace skbwalk
