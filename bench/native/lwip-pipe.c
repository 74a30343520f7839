/*
 * The yardstick for two stacks on a pipe: lwIP with two netifs back to back in one process. Both are Ethernet devices
 * with ARP, MTU 1500; a frame is copied once into a buffer of the receiving device, as a driver does.
 *
 *   lwip-pipe bulk|ping-pong|connections SECONDS
 *
 * prints the figures as one line of JSON, with the names that the other contenders use.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/sys.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

#define PORT 5001
#define RING 8192
#define WRITE_BYTES 65536
#define WARM_UP_SECONDS 0.5
#define CONCURRENT 64
#define MAX_SAMPLES (1 << 22)

/* Frames on their way to a device. */
struct port {
  struct netif netif;
  struct port *peer;
  struct pbuf *ring[RING];
  uint32_t head, tail;
  uint64_t frames, drops;
};

static struct port client_port, server_port;
static char source[WRITE_BYTES];

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

u32_t sys_now(void) { return (u32_t)(int64_t)(now_seconds() * 1000); }

static void die(const char *what) {
  fprintf(stderr, "lwip-pipe: %s\n", what);
  exit(1);
}

static err_t link_output(struct netif *netif, struct pbuf *p) {
  struct port *port = netif->state, *peer = port->peer;
  struct pbuf *copy;
  if (peer->tail - peer->head == RING || !(copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_POOL))) {
    port->drops++;
    return ERR_MEM;
  }
  pbuf_copy(copy, p);
  peer->ring[peer->tail++ % RING] = copy;
  port->frames++;
  return ERR_OK;
}

static err_t port_init(struct netif *netif) {
  struct port *port = netif->state;
  netif->name[0] = 'q';
  netif->name[1] = port == &client_port ? 'c' : 's';
  netif->mtu = 1500;
  netif->hwaddr_len = 6;
  memcpy(netif->hwaddr, "\2\0\0\0\0", 5);
  netif->hwaddr[5] = port == &client_port ? 1 : 2;
  netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
  netif->output = etharp_output;
  netif->linkoutput = link_output;
  return ERR_OK;
}

static void add_port(struct port *port, struct port *peer, int host) {
  ip4_addr_t address, mask, gateway;
  IP4_ADDR(&address, 10, 0, 0, host);
  IP4_ADDR(&mask, 255, 255, 255, 0);
  IP4_ADDR(&gateway, 0, 0, 0, 0);
  port->peer = peer;
  if (!netif_add(&port->netif, &address, &mask, &gateway, port, port_init, ethernet_input)) die("no netif");
  netif_set_up(&port->netif);
}

/* Hands up what has come so far, a batch as the other contender does. */
static void drain(struct port *port) {
  uint32_t end = port->tail;
  while (port->head != end) {
    struct pbuf *p = port->ring[port->head++ % RING];
    if (port->netif.input(p, &port->netif) != ERR_OK) pbuf_free(p);
  }
}

static double run_for(double seconds) {
  double start = now_seconds(), end = start + seconds, now = start;
  while (now < end) {
    for (int i = 0; i < 16; i++) {
      drain(&server_port);
      drain(&client_port);
    }
    sys_check_timeouts();
    now = now_seconds();
  }
  return now - start;
}

static double cpu_seconds(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static struct tcp_pcb *client_pcb(void) {
  struct tcp_pcb *pcb = tcp_new();
  if (!pcb) die("no pcb");
  tcp_bind_netif(pcb, &client_port.netif);
  return pcb;
}

static void connect_to_server(struct tcp_pcb *pcb, tcp_connected_fn done) {
  ip4_addr_t server;
  IP4_ADDR(&server, 10, 0, 0, 2);
  if (tcp_connect(pcb, &server, PORT, done) != ERR_OK) die("connect failed");
}

static void serve(tcp_accept_fn accept) {
  struct tcp_pcb *pcb = tcp_new();
  if (!pcb || tcp_bind(pcb, IP_ADDR_ANY, PORT) != ERR_OK) die("no listener");
  tcp_bind_netif(pcb, &server_port.netif);
  pcb = tcp_listen_with_backlog(pcb, 255);
  tcp_accept(pcb, accept);
}

static void dead(void *arg, err_t err) {
  (void)arg;
  fprintf(stderr, "lwip-pipe: a connection died: %d\n", err);
  exit(1);
}

/* --- bulk ------------------------------------------------------------------------------------------------------- */

static uint64_t received;

static err_t sink(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  (void)arg, (void)err;
  if (!p) die("the flow ended");
  received += p->tot_len;
  tcp_recved(pcb, p->tot_len);
  pbuf_free(p);
  return ERR_OK;
}

static err_t accept_sink(void *arg, struct tcp_pcb *pcb, err_t err) {
  (void)arg, (void)err;
  tcp_recv(pcb, sink);
  tcp_err(pcb, dead);
  return ERR_OK;
}

static void pump(struct tcp_pcb *pcb) {
  for (;;) {
    tcpwnd_size_t room = pcb->snd_buf;
    if (room < TCP_MSS) break;
    if (room > 16 * TCP_MSS) room = 16 * TCP_MSS;
    if (tcp_write(pcb, source, room, TCP_WRITE_FLAG_COPY) != ERR_OK) break;
  }
  tcp_output(pcb);
}

static err_t pump_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes) {
  (void)arg, (void)bytes;
  /* tcp_sndbuf() says 65535 at most. */
  if (pcb->snd_buf >= TCP_SND_BUF / 4) pump(pcb);
  return ERR_OK;
}

static err_t pump_connected(void *arg, struct tcp_pcb *pcb, err_t err) {
  (void)arg, (void)err;
  pump(pcb);
  return ERR_OK;
}

static void bulk(double seconds) {
  serve(accept_sink);
  struct tcp_pcb *pcb = client_pcb();
  tcp_err(pcb, dead);
  tcp_sent(pcb, pump_sent);
  connect_to_server(pcb, pump_connected);
  run_for(WARM_UP_SECONDS);
  uint64_t bytes = received, segments = client_port.frames, acks = server_port.frames;
  double cpu = cpu_seconds(), span = run_for(seconds);
  bytes = received - bytes;
  segments = client_port.frames - segments;
  acks = server_port.frames - acks;
  printf("{\"bitsPerSecond\":%.0f,\"nsPerSegment\":%.1f,\"segmentsPerAck\":%.2f,\"cpuNsPerByte\":%.4f,\"drops\":%llu}\n",
         bytes * 8 / span, span * 1e9 / segments, (double)segments / acks, (cpu_seconds() - cpu) * 1e9 / bytes,
         (unsigned long long)(client_port.drops + server_port.drops));
}

/* --- one byte to and fro ---------------------------------------------------------------------------------------- */

static uint64_t rounds;
static double *samples, last_seconds;
static size_t taken;

static err_t echo(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  (void)arg, (void)err;
  if (!p) {
    tcp_close(pcb);
    return ERR_OK;
  }
  tcp_recved(pcb, p->tot_len);
  pbuf_free(p);
  tcp_write(pcb, source, 1, TCP_WRITE_FLAG_COPY);
  tcp_output(pcb);
  return ERR_OK;
}

static err_t accept_echo(void *arg, struct tcp_pcb *pcb, err_t err) {
  (void)arg, (void)err;
  tcp_nagle_disable(pcb);
  tcp_recv(pcb, echo);
  return ERR_OK;
}

static err_t answered(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  rounds++;
  if (samples) {
    double now = now_seconds();
    if (taken < MAX_SAMPLES) samples[taken++] = (now - last_seconds) * 1e6;
    last_seconds = now;
  }
  return echo(arg, pcb, p, err);
}

static err_t ask(void *arg, struct tcp_pcb *pcb, err_t err) {
  (void)arg, (void)err;
  tcp_write(pcb, source, 1, TCP_WRITE_FLAG_COPY);
  tcp_output(pcb);
  return ERR_OK;
}

static int ascending(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return (d > 0) - (d < 0);
}

static void ping_pong(double seconds) {
  serve(accept_echo);
  struct tcp_pcb *pcb = client_pcb();
  tcp_nagle_disable(pcb);
  tcp_err(pcb, dead);
  tcp_recv(pcb, answered);
  connect_to_server(pcb, ask);
  run_for(WARM_UP_SECONDS);
  uint64_t before = rounds;
  double span = run_for(seconds);
  uint64_t counted = rounds - before;
  samples = malloc(MAX_SAMPLES * sizeof *samples);
  last_seconds = now_seconds();
  run_for(seconds / 2);
  qsort(samples, taken, sizeof *samples, ascending);
  printf("{\"roundTripsPerSecond\":%.0f,\"meanUs\":%.3f,\"p50Us\":%.3f,\"p99Us\":%.3f}\n", counted / span,
         span * 1e6 / counted, samples[taken / 2], samples[(size_t)(taken * 0.99)]);
}

/* --- connections opened and closed ------------------------------------------------------------------------------ */

static uint64_t finished;

static void next_connection(void);

static err_t finish(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  (void)arg, (void)err;
  if (!p) {
    finished++;
    next_connection();
    return ERR_OK;
  }
  tcp_recved(pcb, p->tot_len);
  pbuf_free(p);
  return tcp_shutdown(pcb, 0, 1);
}

static void next_connection(void) {
  struct tcp_pcb *pcb = client_pcb();
  tcp_recv(pcb, finish);
  tcp_err(pcb, dead);
  connect_to_server(pcb, ask);
}

static void connections(double seconds) {
  serve(accept_echo);
  for (int i = 0; i < CONCURRENT; i++) next_connection();
  run_for(WARM_UP_SECONDS);
  uint64_t before = finished;
  double span = run_for(seconds);
  uint64_t counted = finished - before;
  printf("{\"connectionsPerSecond\":%.0f,\"usPerConnection\":%.3f}\n", counted / span, span * 1e6 / counted);
}

int main(int argc, char **argv) {
  double seconds = argc == 3 ? atof(argv[2]) : 0;
  if (seconds <= 0) die("usage: lwip-pipe bulk|ping-pong|connections SECONDS");
  lwip_init();
  add_port(&client_port, &server_port, 1);
  add_port(&server_port, &client_port, 2);
  if (!strcmp(argv[1], "bulk")) bulk(seconds);
  else if (!strcmp(argv[1], "ping-pong")) ping_pong(seconds);
  else if (!strcmp(argv[1], "connections")) connections(seconds);
  else die("bulk, ping-pong or connections?");
  return 0;
}
