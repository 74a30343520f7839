/*
 * The yardstick for latency: the kernel's TCP, one byte to and fro.
 *
 *   tcp-ping-pong server PORT CPU                       serves one connection, then ends
 *   tcp-ping-pong client ADDRESS PORT CPU SECONDS       prints the figures as one line of JSON
 *
 * Each end keeps to one CPU.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_SECONDS 0.3
#define MAX_SAMPLES (1 << 20)

static void check(int result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static void keep_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  check(sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return (d > 0) - (d < 0);
}

static void no_delay(int fd) {
  int on = 1;
  check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

static void serve(int port) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), fd;
  char byte;
  check(listener, "socket");
  check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  check(bind(listener, (struct sockaddr *)&any, sizeof any), "bind");
  check(listen(listener, 1), "listen");
  check(fd = accept(listener, NULL, NULL), "accept");
  no_delay(fd);
  while (read(fd, &byte, 1) == 1) check(write(fd, &byte, 1), "write");
}

static void ask(const char *address, int port, double seconds) {
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
  int fd = -1;
  char byte = 0;
  double *samples = malloc(MAX_SAMPLES * sizeof *samples);
  if (!samples || inet_pton(AF_INET, address, &server.sin_addr) != 1) exit(1);
  /* The server may still be on its way. */
  for (int tries = 0; tries < 100; tries++) {
    check(fd = socket(AF_INET, SOCK_STREAM, 0), "socket");
    if (connect(fd, (struct sockaddr *)&server, sizeof server) == 0) break;
    if (tries == 99) check(-1, "connect");
    close(fd);
    usleep(20000);
  }
  no_delay(fd);
  double start = now_us() + WARM_UP_SECONDS * 1e6, end = start + seconds * 1e6, before = now_us();
  int taken = 0;
  while (before < end && taken < MAX_SAMPLES) {
    check(write(fd, &byte, 1), "write");
    check(read(fd, &byte, 1) == 1 ? 0 : -1, "read");
    double now = now_us();
    if (before >= start) samples[taken++] = now - before;
    before = now;
  }
  double span = before - start;
  if (taken == 0) exit(1);
  qsort(samples, taken, sizeof *samples, ascending);
  printf("{\"roundTripsPerSecond\":%.0f,\"meanUs\":%.3f,\"p50Us\":%.3f,\"p99Us\":%.3f,\"p99OverP50\":%.3f}\n",
         taken * 1e6 / span, span / taken, samples[taken / 2], samples[(int)(taken * 0.99)],
         samples[(int)(taken * 0.99)] / samples[taken / 2]);
}

int main(int argc, char **argv) {
  if (argc == 4 && !strcmp(argv[1], "server")) {
    keep_to(atoi(argv[3]));
    serve(atoi(argv[2]));
  } else if (argc == 6 && !strcmp(argv[1], "client")) {
    keep_to(atoi(argv[4]));
    ask(argv[2], atoi(argv[3]), atof(argv[5]));
  } else {
    fprintf(stderr, "usage: tcp-ping-pong server PORT CPU | client ADDRESS PORT CPU SECONDS\n");
    return 2;
  }
  return 0;
}
