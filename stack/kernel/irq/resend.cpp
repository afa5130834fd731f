// SPDX-License-Identifier: GPL-2.0-only
//
// An edge that came while its line was disabled comes again when it is enabled (kernel/irq/resend.c): by the
// chip, or by a tasklet that calls the flow handler. A level line comes again by itself.
#include <cerrno>

#include "stack/kernel/internal.h"
#include "stack/kernel/irq/internals.h"
#include "stack/kernel/tasklet.h"

namespace skbwalk {

namespace {

struct software_resend {
	std::vector<bool> irqs_resend; // by number
	tasklet_struct resend_tasklet;
	software_resend();
};
perhost<software_resend> software;

void resend_irqs(tasklet_struct &)
{
	TRACE();
	std::vector<bool> &irqs = software->irqs_resend;

	for (unsigned irq = 0; irq < irqs.size(); ++irq) {
		if (!irqs[irq])
			continue;
		irqs[irq] = false;
		irq_desc *desc = irq_to_desc(irq);

		local_irq_disable();
		desc->handle_irq(*desc);
		local_irq_enable();
	}
}

software_resend::software_resend() { tasklet_setup(resend_tasklet, resend_irqs); }

int irq_sw_resend(irq_desc &desc)
{
	TRACE();
	const unsigned irq = desc.data.irq;

	software->irqs_resend.resize(nr_irqs());
	software->irqs_resend[irq] = true;
	tasklet_schedule(software->resend_tasklet);
	return 0;
}

int try_retrigger(irq_desc &desc)
{
	TRACE();
	return desc.data.chip->irq_retrigger ? desc.data.chip->irq_retrigger(desc.data) : 0;
}

} // namespace

int check_irq_resend(irq_desc &desc, bool inject)
{
	TRACE();
	int err = 0;

	if (irq_settings_is_level(desc)) {
		desc.istate &= ~IRQS_PENDING;
		return -EINVAL;
	}
	if (desc.istate & IRQS_REPLAY)
		return -EBUSY;
	if (!(desc.istate & IRQS_PENDING) && !inject)
		return 0;
	desc.istate &= ~IRQS_PENDING;
	if (!try_retrigger(desc))
		err = irq_sw_resend(desc);
	if (!err)
		desc.istate |= IRQS_REPLAY;
	return err;
}

} // namespace skbwalk
