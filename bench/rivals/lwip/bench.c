// SPDX-License-Identifier: GPL-2.0-only
//
// lwIP's transmit path, one round: bulk data, one-byte round trips, connections. Two interfaces are joined by
// a wire that copies each frame into a new buffer of the receiver, as a veth with copies would; both ends are
// in one stack, 10.0.1.1 and 10.0.1.2. Prints NAME, nanoseconds of CPU time, ns for those asked for, or for
// all.
#include <string.h>
#include <time.h>

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

enum { queue_max = 16384, batch = 64, write_max = 16384 };
static const unsigned long bulk_bytes = 128UL << 20;
static const unsigned long round_trips = 200000;
static const unsigned long connections = 50000;

struct frame_queue {
	struct pbuf *frames[queue_max];
	unsigned head, tail;
};
static struct netif client_if, server_if;
static struct frame_queue to_client, to_server;
static ip_addr_t client_ip, server_ip;

static int answers; // the far end answers each byte
static int connected;
static unsigned long received, returned, accepted, closed;
static char data[write_max];

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

u32_t sys_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

struct netif *route_by_source(const void *source, const void *destination)
{
	(void)destination;
	if (!source)
		return NULL;
	const u32_t addr = ((const ip4_addr_t *)source)->addr;

	return addr == netif_ip4_addr(&client_if)->addr   ? &client_if
	       : addr == netif_ip4_addr(&server_if)->addr ? &server_if
	                                                  : NULL;
}

static err_t wire(struct netif *from, struct pbuf *frame)
{
	struct frame_queue *q = from == &client_if ? &to_server : &to_client;

	if (q->tail - q->head >= queue_max)
		return ERR_BUF;
	struct pbuf *copy = pbuf_alloc(PBUF_RAW, frame->tot_len, PBUF_POOL);

	if (!copy)
		return ERR_MEM;
	pbuf_copy(copy, frame);
	q->frames[q->tail++ % queue_max] = copy;
	return ERR_OK;
}

static err_t interface_init(struct netif *n)
{
	n->name[0] = 'v';
	n->name[1] = n == &client_if ? '0' : '1';
	n->mtu = 1500;
	n->hwaddr_len = 6;
	memcpy(n->hwaddr, n == &client_if ? "\2aaaaa" : "\2bbbbb", 6);
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
	n->linkoutput = wire;
	n->output = etharp_output;
	return ERR_OK;
}

static int poll_one(struct frame_queue *q, struct netif *n)
{
	int done = 0;

	for (; done < batch && q->head != q->tail; ++done) {
		struct pbuf *frame = q->frames[q->head++ % queue_max];

		if (n->input(frame, n) != ERR_OK)
			pbuf_free(frame);
	}
	return done;
}

static int poll_both(void)
{
	static unsigned times;
	const int done = poll_one(&to_server, &server_if) + poll_one(&to_client, &client_if);

	if (++times % batch == 0)
		sys_check_timeouts();
	return done;
}

static err_t server_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	(void)arg;
	(void)err;
	if (!p) {
		tcp_recv(pcb, NULL);
		tcp_close(pcb);
		++closed;
		return ERR_OK;
	}
	received += p->tot_len;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	if (answers) {
		tcp_write(pcb, "x", 1, TCP_WRITE_FLAG_COPY);
		tcp_output(pcb);
	}
	return ERR_OK;
}

static void server_reset(void *arg, err_t err)
{
	(void)arg;
	(void)err;
	++closed;
}

static err_t server_accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg;
	(void)err;
	++accepted;
	tcp_recv(pcb, server_received);
	tcp_err(pcb, server_reset);
	tcp_nagle_disable(pcb);
	return ERR_OK;
}

static err_t client_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	(void)arg;
	(void)pcb;
	(void)err;
	connected = 1;
	return ERR_OK;
}

static err_t client_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	(void)arg;
	(void)err;
	if (!p)
		return ERR_OK;
	returned += p->tot_len;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	if (answers) {
		tcp_write(pcb, "y", 1, TCP_WRITE_FLAG_COPY);
		tcp_output(pcb);
	}
	return ERR_OK;
}

static struct tcp_pcb *dial(void)
{
	struct tcp_pcb *pcb = tcp_new();

	if (!pcb)
		return NULL;
	connected = 0;
	tcp_bind(pcb, &client_ip, 0);
	tcp_recv(pcb, client_received);
	tcp_nagle_disable(pcb);
	if (tcp_connect(pcb, &server_ip, 80, client_connected) != ERR_OK) {
		tcp_abort(pcb);
		return NULL;
	}
	return pcb;
}

static struct tcp_pcb *dial_and_wait(void)
{
	struct tcp_pcb *pcb = dial();

	while (!connected)
		poll_both();
	return pcb;
}

static double bulk(void)
{
	struct tcp_pcb *pcb = dial_and_wait();
	unsigned long sent = 0;
	const double start = cpu_ns();

	received = 0;
	while (received < bulk_bytes) {
		while (sent < bulk_bytes) {
			unsigned long n = bulk_bytes - sent;

			n = n > write_max ? write_max : n;
			n = n > tcp_sndbuf(pcb) ? tcp_sndbuf(pcb) : n;
			if (!n || (n < 4096 && bulk_bytes - sent > n))
				break;
			if (tcp_write(pcb, data, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
				break;
			sent += n;
		}
		tcp_output(pcb);
		poll_both();
	}
	const double took = cpu_ns() - start;

	tcp_abort(pcb);
	return took / ((double)bulk_bytes / TCP_MSS);
}

static double round_trip(void)
{
	struct tcp_pcb *pcb = dial_and_wait();

	answers = 1;
	returned = 0;
	const double start = cpu_ns();

	tcp_write(pcb, "y", 1, TCP_WRITE_FLAG_COPY);
	tcp_output(pcb);
	while (returned < round_trips)
		poll_both();
	const double took = cpu_ns() - start;

	answers = 0;
	while (poll_both())
		;
	tcp_abort(pcb);
	return took / (double)round_trips;
}

// The client resets, as in the other programs that are asked this.
static double connection(void)
{
	const double start = cpu_ns();

	for (unsigned long done = 0; done < connections;) {
		const unsigned long accepted_before = accepted, closed_before = closed;
		struct tcp_pcb *pcb = dial();

		if (!pcb) {
			poll_both();
			continue;
		}
		while (!connected || accepted == accepted_before)
			poll_both();
		tcp_abort(pcb);
		while (closed == closed_before)
			poll_both();
		++done;
	}
	return (cpu_ns() - start) / (double)connections;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		double (*measure)(void);
	} what[] = {{"bulk", bulk}, {"rr", round_trip}, {"connection", connection}};
	ip4_addr_t mask, gateway;

	lwip_init();
	IP4_ADDR(&mask, 255, 255, 255, 0);
	IP4_ADDR(&gateway, 0, 0, 0, 0);
	IP4_ADDR(&client_ip, 10, 0, 1, 1);
	IP4_ADDR(&server_ip, 10, 0, 1, 2);
	netif_add(&client_if, &client_ip, &mask, &gateway, NULL, interface_init, ethernet_input);
	netif_add(&server_if, &server_ip, &mask, &gateway, NULL, interface_init, ethernet_input);
	netif_set_up(&client_if);
	netif_set_up(&server_if);
	netif_set_default(&client_if);
	struct tcp_pcb *listener = tcp_new();

	tcp_bind(listener, &server_ip, 80);
	tcp_accept(tcp_listen_with_backlog(listener, 255), server_accepted);
	memset(data, 'z', sizeof(data));
	for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); ++i) {
		int wanted = argc < 2;

		for (int a = 1; a < argc; ++a)
			wanted = wanted || !strcmp(argv[a], what[i].name);
		if (wanted)
			printf("%s\t%.2f\tns\n", what[i].name, what[i].measure());
	}
	return 0;
}
