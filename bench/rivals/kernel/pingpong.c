// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's own TCP: one-byte round trips and connections over the loopback device, client and server on one
// cpu. Prints NAME, nanoseconds of both processes' cpu time, ns.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { round_trips = 40000, connections = 10000 };

static void must(const char *what, long result)
{
	if (result >= 0)
		return;
	perror(what);
	exit(1);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

static double cpu_of(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return seconds(u.ru_utime) + seconds(u.ru_stime);
}

static int dial(const struct sockaddr_in *to)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	const struct linger at_once = {1, 0};

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	must("connect", connect(fd, (const struct sockaddr *)to, sizeof(*to)));
	return fd;
}

// Answers each byte until the peer closes, connection after connection.
static void serve(int listener)
{
	const int one = 1;
	char byte;

	for (;;) {
		const int fd = accept(listener, NULL, NULL);

		must("accept", fd);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (read(fd, &byte, 1) == 1) {
			if (byte == 'q')
				exit(0);
			if (write(fd, &byte, 1) != 1)
				break;
		}
		close(fd);
	}
}

static void exchange(int fd)
{
	char byte = 'x';

	must("write", write(fd, &byte, 1));
	must("read", read(fd, &byte, 1));
}

static double measure(int rr)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t length = sizeof(at);
	const int listener = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must("bind", bind(listener, (struct sockaddr *)&at, sizeof(at)));
	must("listen", listen(listener, 128));
	must("getsockname", getsockname(listener, (struct sockaddr *)&at, &length));

	const double before = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
	const pid_t server = fork();

	must("fork", server);
	if (!server)
		serve(listener);
	int fd = dial(&at);

	if (rr) {
		for (int i = 0; i < round_trips; ++i)
			exchange(fd);
	} else {
		for (int i = 0; i < connections; ++i) {
			close(fd);
			fd = dial(&at);
		}
	}
	must("write", write(fd, "q", 1));
	must("waitpid", waitpid(server, NULL, 0));
	close(fd);
	close(listener);
	return (cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN) - before) * 1e9 / (rr ? round_trips : connections);
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"connection", "rr"};
	cpu_set_t one_cpu;

	CPU_ZERO(&one_cpu);
	CPU_SET(1 % (int)sysconf(_SC_NPROCESSORS_ONLN), &one_cpu);
	sched_setaffinity(0, sizeof(one_cpu), &one_cpu);
	for (int rr = 0; rr < 2; ++rr) {
		int wanted = argc < 2;

		for (int a = 1; a < argc; ++a)
			wanted = wanted || !strcmp(argv[a], names[rr]);
		if (wanted)
			printf("%s\t%.1f\tns\n", names[rr], measure(rr));
	}
	return 0;
}
