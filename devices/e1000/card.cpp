// SPDX-License-Identifier: GPL-2.0-only
//
// The card's registers, interrupts and receiving; transmitting is in card_transmit.cpp. A cause is set in
// ICR; where it is not masked the line rises, but not sooner after the last rise than ITR says. Reading ICR
// clears it and lowers the line; so does masking all. A write that makes the line rise may run the
// interrupt's handler before it returns, so that it is the last thing of each register's write.
#include "devices/e1000/card.h"

#include <algorithm>
#include <cstring>

#include "stack/kernel/prefetch.h"

namespace skbwalk {

namespace {

constexpr u32 register_space = 0x6000;
constexpr u32 phy_address = 1;
constexpr bool clears_when_read(u32 reg) { return reg >= E1000_CRCERRS && reg < 0x4200; }

} // namespace

e1000_card::e1000_card(host &h, unsigned pin, const mac_addr &mac, e1000_port &port)
	: dma("e1000"), host_(h), port_(port), line_(h, pin), mac_(mac), regs_(register_space / 4)
{
	u16 sum = 0;

	for (std::size_t i = 0; i < 3; ++i)
		eeprom_[i] = static_cast<u16>(mac[2 * i] | mac[2 * i + 1] << 8);
	for (std::size_t i = 0; i < EEPROM_CHECKSUM_REG; ++i)
		sum = static_cast<u16>(sum + eeprom_[i]);
	eeprom_[EEPROM_CHECKSUM_REG] = static_cast<u16>(EEPROM_SUM - sum);
	reset();
}

e1000_card::~e1000_card()
{
	if (throttle_event_)
		host_.plat.cancel(throttle_event_);
	if (transmit_event_)
		host_.plat.cancel(transmit_event_);
}

void e1000_card::call_at(u64 when_ns, void (*fn)(void *), u64 &id)
{
	if (!id)
		id = host_.plat.at_device(host_, when_ns, fn, this);
}

void e1000_card::reset()
{
	const u32 status = reg(E1000_STATUS);

	std::ranges::fill(regs_, 0);
	reg(E1000_STATUS) = status;
	reg(E1000_PBA) = E1000_PBA_48K | (packet_buffer_kib - E1000_PBA_48K) << 16;
	// The first receive address is loaded from the EEPROM.
	std::memcpy(&reg(E1000_RA), mac_.data(), 4);
	reg(E1000_RA + 4) = static_cast<u32>(mac_[4] | mac_[5] << 8) | 1U << 31;
	packet_frames_ = packet_bytes_ = 0;
	packet_cut_ = packet_tagged_ = false;
	next_interrupt_ns_ = 0;
	line_.set(false);
}

// --- interrupts ---

void e1000_card::set_cause(u32 bits)
{
	reg(E1000_ICR) |= bits;
	update_line();
}

void e1000_card::update_line()
{
	const bool wanted = reg(E1000_ICR) & reg(E1000_IMS);

	if (!wanted) {
		line_.set(false);
		return;
	}
	if (line_.high())
		return;

	const u64 now_ns = port_.now_ns();

	if (now_ns < next_interrupt_ns_) {
		counters_.throttled += !throttle_event_;
		call_at(
			next_interrupt_ns_,
			[](void *arg) {
				auto &card = *static_cast<e1000_card *>(arg);
				card.throttle_event_ = 0;
				card.update_line();
			},
			throttle_event_);
		return;
	}
	next_interrupt_ns_ = now_ns + std::max(u64{reg(E1000_ITR) & 0xffff} * 256, interrupt_gap_ns_);
	++counters_.interrupts;
	line_.set(true);
}

// --- registers ---

u32 e1000_card::read(u32 offset)
{
	if (offset >= register_space || offset % 4)
		return 0;

	const u32 value = reg(offset);

	if (offset == E1000_ICR) {
		reg(E1000_ICR) = 0;
		update_line();
	} else if (clears_when_read(offset)) {
		reg(offset) = 0;
	}
	return value;
}

void e1000_card::write(u32 offset, u32 value)
{
	if (offset >= register_space || offset % 4)
		return;
	switch (offset) {
	case E1000_CTRL:
		reg(offset) = value & ~E1000_CTRL_RST;
		if (value & E1000_CTRL_RST)
			reset();
		break;
	case E1000_STATUS: // read-only
	case E1000_ICR:
		break;
	case E1000_ICS:
		set_cause(value);
		break;
	case E1000_IMS:
		reg(E1000_IMS) |= value;
		update_line();
		break;
	case E1000_IMC:
		reg(E1000_IMS) &= ~value;
		update_line();
		break;
	case E1000_EERD:
		if (value & E1000_EEPROM_RW_REG_START)
			reg(offset) = static_cast<u32>(eeprom_[value >> E1000_EEPROM_RW_ADDR_SHIFT & 63])
			                      << E1000_EEPROM_RW_REG_DATA |
			              E1000_EEPROM_RW_REG_DONE;
		break;
	case E1000_MDIC:
		mdic(value);
		break;
	case E1000_PBA: // the rest of the packet buffer is the transmitter's
		reg(offset) = (value & 0xffff) | (packet_buffer_kib - (value & 0xffff)) << 16;
		break;
	case E1000_ITR:
		counters_.itr_changes += reg(offset) != value;
		counters_.itr = value;
		reg(offset) = value;
		break;
	case E1000_RDH:
	case E1000_RDT:
	case E1000_TDH:
		reg(offset) = value & 0xffff;
		break;
	case E1000_TDT:
		reg(offset) = value & 0xffff;
		transmit();
		break;
	case E1000_TCTL:
		reg(offset) = value;
		transmit();
		break;
	default:
		if (!clears_when_read(offset))
			reg(offset) = value;
	}
}

void e1000_card::mdic(u32 value)
{
	const u32 phy_reg = value >> E1000_MDIC_REG_SHIFT & 31;
	u32 data = value & E1000_MDIC_DATA_MASK;

	if ((value >> E1000_MDIC_PHY_SHIFT & 31) != phy_address) {
		reg(E1000_MDIC) = value | E1000_MDIC_READY | E1000_MDIC_ERROR;
		return;
	}
	if (value & E1000_MDIC_OP_WRITE && phy_reg == PHY_CTRL) {
		const bool on = !(data & MII_CR_POWER_DOWN);

		if (on != phy_on_) {
			phy_on_ = on;
			port_.phy_power(on);
		}
	} else if (value & E1000_MDIC_OP_READ) {
		switch (phy_reg) {
		case PHY_CTRL:
			data = phy_on_ ? 0 : MII_CR_POWER_DOWN;
			break;
		case PHY_STATUS:
			data = MII_SR_AUTONEG_COMPLETE | (link_up_ ? MII_SR_LINK_STATUS : 0u);
			break;
		case PHY_ID1:
			data = M88E1011_I_PHY_ID >> 16;
			break;
		case PHY_ID2:
			data = M88E1011_I_PHY_ID & 0xffff;
			break;
		default:
			data = 0;
		}
	}
	reg(E1000_MDIC) = (value & ~E1000_MDIC_DATA_MASK) | data | E1000_MDIC_READY;
}

void e1000_card::set_link(bool up, u32 mbps)
{
	link_up_ = up;
	reg(E1000_STATUS) = E1000_STATUS_FD | (up ? E1000_STATUS_LU : 0) |
	                    (mbps >= 1000  ? E1000_STATUS_SPEED_1000
	                     : mbps >= 100 ? E1000_STATUS_SPEED_100
	                                   : 0);
	set_cause(E1000_ICR_LSC);
	transmit();
}

// --- receiving ---

bool e1000_card::accepts(std::span<const std::byte> frame)
{
	const u32 rctl = reg(E1000_RCTL);
	mac_addr to;

	std::memcpy(to.data(), frame.data(), to.size());
	if (to[0] & 1) {
		if (rctl & E1000_RCTL_MPE)
			return true;
		if (to == mac_addr{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})
			return rctl & E1000_RCTL_BAM;
	} else if (rctl & E1000_RCTL_UPE) {
		return true;
	}
	for (u32 i = 0; i < E1000_RAR_ENTRIES; ++i) {
		const u32 low = reg(E1000_RA + 8 * i), high = reg(E1000_RA + 8 * i + 4);
		const mac_addr address{{static_cast<u8>(low), static_cast<u8>(low >> 8),
		                        static_cast<u8>(low >> 16), static_cast<u8>(low >> 24),
		                        static_cast<u8>(high), static_cast<u8>(high >> 8)}};

		if (high >> 31 && address == to)
			return true;
	}
	if (!(to[0] & 1))
		return false;

	constexpr std::array<u32, 4> shifts = {4, 3, 2, 0};
	const u32 hash =
		(static_cast<u32>(to[5]) << 8 | to[4]) >> shifts[rctl >> E1000_RCTL_MO_SHIFT & 3] & 0xfff;

	return reg(E1000_MTA + 4 * (hash >> 5)) >> (hash & 31) & 1;
}

u32 e1000_card::rx_buffer_size()
{
	const u32 rctl = reg(E1000_RCTL);
	const u32 shift = rctl >> E1000_RCTL_SZ_SHIFT & 3;

	if (rctl & E1000_RCTL_BSEX)
		return shift ? 32768u >> shift : 2048;
	return 2048u >> shift;
}

u32 e1000_card::rx_free()
{
	const u32 count = reg(E1000_RDLEN) / u32{sizeof(e1000_rx_desc)};

	if (!count || reg(E1000_RDH) >= count || reg(E1000_RDT) >= count)
		return 0;
	return (reg(E1000_RDT) + count - reg(E1000_RDH)) % count;
}

namespace {

// What is summed of a received frame: TCP's or UDP's bytes in a plain IPv4 packet that is no fragment.
struct transport {
	std::size_t begin = 0, end = 0; // the same: nothing is
	u8 protocol = 0;
};

transport find_transport(std::span<const std::byte> frame)
{
	iphdr ip;

	if (frame.size() < ETH_HLEN + sizeof(ip))
		return {};

	const u16 type = static_cast<u16>(static_cast<u16>(frame[12]) << 8 | static_cast<u16>(frame[13]));

	std::memcpy(&ip, frame.data() + ETH_HLEN, sizeof(ip));

	const u32 header = 4 * ip.ihl(), total = ntohs(ip.tot_len);

	if (type != ETH_P_IP || ip.version() != 4 || header < sizeof(ip) || ETH_HLEN + total > frame.size() ||
	    ntohs(ip.frag_off) & (IP_MF | IP_OFFSET) ||
	    (ip.protocol != IPPROTO_TCP && ip.protocol != IPPROTO_UDP) ||
	    total < header + (ip.protocol == IPPROTO_TCP ? 20u : 8u))
		return {};
	return {ETH_HLEN + header, ETH_HLEN + total, ip.protocol};
}

// IP's header and TCP's or UDP's sum, as a descriptor tells of them.
void check_sums(std::span<const std::byte> frame, const transport &t, u16 sum, u8 &status, u8 &errors)
{
	const std::byte *const bytes = frame.data();

	if (t.begin == t.end) {
		status |= E1000_RXD_STAT_IXSM;
		return;
	}
	status |= E1000_RXD_STAT_IPCS;
	if (card_sum(bytes + ETH_HLEN, t.begin - ETH_HLEN) != 0xffff)
		errors |= E1000_RXD_ERR_IPE;
	if (t.protocol == IPPROTO_UDP && bytes[t.begin + 6] == std::byte{0} &&
	    bytes[t.begin + 7] == std::byte{0})
		return; // no sum was sent
	status |= E1000_RXD_STAT_TCPCS;
	// With the addresses, the protocol and the length before it.
	if (card_sum(bytes + ETH_HLEN + 12, 8, static_cast<u32>(sum + t.protocol + (t.end - t.begin))) !=
	    0xffff)
		errors |= E1000_RXD_ERR_TCPE;
}

} // namespace

// What lies there; null, which is no error: it is not for the card. Only to ask for memory ahead.
std::byte *e1000_card::peek(dma_addr_t at, std::size_t n)
{
	std::size_t offset = 0;
	const dma_mapping *const m = dma.dma_mappings.holding(at, n, offset);

	return m ? m->memory + offset : nullptr;
}

// Asks for the memory that the next frame, if it is as long as this one, will be written to: with a ring of
// buffers it has left the caches since it was last used.
void e1000_card::fetch_buffer(dma_addr_t desc_at, std::size_t length)
{
	const std::byte *const in_ring = peek(desc_at, sizeof(e1000_rx_desc));
	e1000_rx_desc desc;

	if (!in_ring)
		return;
	std::memcpy(&desc, in_ring, sizeof(desc));
	if (const std::byte *const buffer = peek(desc.buffer_addr.get(), length))
		prefetchw_range(buffer, length);
}

void e1000_card::receive(std::span<const std::byte> frame)
{
	const u32 rctl = reg(E1000_RCTL);

	if (!(rctl & E1000_RCTL_EN) || !link_up_) {
		++counters_.rx_disabled;
		return;
	}
	if (frame.size() < ETH_ZLEN) {
		++reg(E1000_RUC);
		++counters_.rx_undersize;
		return;
	}
	if (frame.size() + ETH_FCS_LEN > MAX_JUMBO_FRAME_SIZE ||
	    (frame.size() + ETH_FCS_LEN > MAXIMUM_ETHERNET_VLAN_SIZE && !(rctl & E1000_RCTL_LPE))) {
		++reg(E1000_ROC);
		++counters_.rx_oversize;
		return;
	}
	if (!accepts(frame)) {
		++counters_.rx_filtered;
		return;
	}

	std::span<const std::byte> bytes = frame;
	u16 tag = 0;
	u8 status = 0, errors = 0;

	if (reg(E1000_CTRL) & E1000_CTRL_VME && bytes.size() >= 18 && bytes[12] == std::byte{0x81} &&
	    bytes[13] == std::byte{0}) {
		tag = static_cast<u16>(static_cast<u16>(bytes[14]) << 8 | static_cast<u16>(bytes[15]));
		status |= E1000_RXD_STAT_VP;
		untagged_.assign(frame.begin(), frame.end());
		untagged_.erase(untagged_.begin() + 12, untagged_.begin() + 16);
		bytes = untagged_;
	}
	// Its frame check sequence comes along, as zeros: the wire has none.
	const std::size_t length = bytes.size() + ETH_FCS_LEN;
	const u32 room = rx_buffer_size(), count = reg(E1000_RDLEN) / u32{sizeof(e1000_rx_desc)};

	if (rx_free() < (length + room - 1) / room) {
		++reg(E1000_MPC);
		++reg(E1000_RNBC);
		++counters_.rx_no_buffer;
		set_cause(E1000_ICR_RXO);
		return;
	}

	const dma_addr_t ring = reg(E1000_RDBAL) | u64{reg(E1000_RDBAH)} << 32;
	const transport summed = reg(E1000_RXCSUM) & E1000_RXCSUM_TUOFL ? find_transport(bytes) : transport{};
	summed_copy copy(summed.begin, summed.end);

	for (std::size_t at = 0; at < length; at += room) {
		const dma_addr_t where = ring + reg(E1000_RDH) * sizeof(e1000_rx_desc);
		const std::size_t piece = std::min<std::size_t>(room, length - at);
		const std::size_t of_frame = at < bytes.size() ? std::min(piece, bytes.size() - at) : 0;
		const bool last = at + piece == length;
		std::byte *const in_ring = dma_writable(dma, where, sizeof(e1000_rx_desc));
		e1000_rx_desc desc{};

		if (in_ring)
			std::memcpy(&desc, in_ring, sizeof(desc));

		std::byte *const buffer = dma_writable(dma, desc.buffer_addr.get(), piece);

		copy.append(buffer, bytes.data() + copy.size(), of_frame);
		if (buffer)
			std::memset(buffer + of_frame, 0, piece - of_frame);
		if (last)
			check_sums(bytes, summed, copy.sum(), status, errors);
		desc.length.set(static_cast<u32>(piece));
		desc.special.set(tag);
		desc.status = static_cast<u8>(E1000_RXD_STAT_DD | (last ? E1000_RXD_STAT_EOP | status : 0));
		desc.errors = last ? errors : u8{0};
		if (in_ring)
			std::memcpy(in_ring, &desc, sizeof(desc));
		reg(E1000_RDH) = (reg(E1000_RDH) + 1) % count;
	}
	fetch_buffer(ring + reg(E1000_RDH) * sizeof(e1000_rx_desc), length);
	++reg(E1000_GPRC);
	++reg(E1000_TPR);
	reg(E1000_GORCL) += static_cast<u32>(length);

	const u32 threshold = count >> ((rctl >> E1000_RCTL_RDMTS_SHIFT & 3) + 1);

	set_cause(E1000_ICR_RXT0 | (rx_free() <= threshold ? E1000_ICR_RXDMT0 : 0));
}

} // namespace skbwalk
