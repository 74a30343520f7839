import { foldSum } from '@qanat/bytes';
import type { TcpConfig } from './config.ts';
import type { Connection } from './connection.ts';
import { synEcnFlags } from './ecn.ts';
import type { TcpPath } from './network.ts';
import { observeSent, observeSyn } from './observe.ts';
import { synOptionsBytes, writeSynOptions } from './options.ts';
import { rateSent } from './rate.ts';
import { timestampNow } from './segment-output.ts';
import { seqGt } from './seq.ts';
import { SYN_RECEIVED } from './state.ts';
import {
  ACK,
  HEADERS_BYTES,
  RST,
  SYN,
  TCP_ACK,
  TCP_CHECKSUM,
  TCP_HEADER_BYTES,
  TCP_OFFSET_FLAGS,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_URGENT,
} from './wire.ts';

const NO_BLOCKS = new Int32Array(0);

/** SYN or SYN-ACK, first or again. */
export function sendSyn(c: Connection, again: boolean): void {
  const { tcp, path } = c;
  const memory = tcp.memory;
  const reply = c.state === SYN_RECEIVED;
  // The device may have refused the first.
  if (c.segsOut === 0) again = false;
  const options = tcp.synOptions;
  options.mss = announcedMssFor(c.config, c.path);
  // A SYN-ACK mirrors what was offered; simultaneous open repeats our own offer.
  options.windowShift = c.config.windowScaling && (!reply || !c.passive || c.windowScaleOk) ? c.rcvWndShift : -1;
  options.sackPermitted = reply && c.passive ? c.sackOk : c.config.sack;
  options.timestamps = reply && c.passive ? c.timestampsOk : c.config.timestamps;
  options.tsVal = timestampNow(c);
  options.tsEcr = reply ? c.tsRecent : 0;
  // A second SYN is a plain one: what stopped the first may have been the cookie or the data (RFC 7413 section 4.1.3.1).
  options.cookie = again || (reply && !c.passive) ? undefined : c.cookie;
  options.cookieExperimental = c.cookieExperimental;
  const header = TCP_HEADER_BYTES + synOptionsBytes(options);
  const bytes = again || reply ? 0 : Math.min(c.snd.bytes, c.synDataRoom);
  const addr = path.reserve(header + bytes, c.flowHash);
  if (addr === 0) {
    tcp.blockOnDevice(c);
    return;
  }
  const view = memory.view;
  const flags = (reply ? SYN | ACK : SYN) | synEcnFlags(c, reply);
  const ack = reply ? c.rcvNxt : 0;
  const free = c.rcv.free;
  const window = Math.min(free, 0xffff);
  view.setInt32(addr + TCP_SRC_PORT, (c.localPort << 16) | c.remotePort);
  view.setInt32(addr + TCP_SEQ, c.iss);
  view.setInt32(addr + TCP_ACK, ack);
  view.setInt32(addr + TCP_OFFSET_FLAGS, (((header << 10) | flags) << 16) | window);
  view.setInt32(addr + TCP_CHECKSUM, 0);
  writeSynOptions(memory, addr + TCP_HEADER_BYTES, options);
  if (bytes > 0) c.snd.copySum(c.sndNxt, addr + header, bytes);
  finishChecksum(c, addr, header + bytes);
  path.send(header + bytes, c.config.tos & ~3, 0);
  if (reply) {
    const edge = (c.rcvNxt + window) | 0;
    if (seqGt(edge, c.rcvAdv)) c.rcvAdv = edge;
    c.lastAckSent = c.rcvNxt;
    c.ackNow = false;
  }
  c.segsOut++;
  tcp.stats.OutSegs++;
  if (again) {
    tcp.stats.RetransSegs++;
    c.totalRetrans++;
  } else {
    c.lastSentUs = tcp.nowUs;
    c.synSentUs = tcp.nowUs;
  }
  if (bytes > 0) {
    c.rtx.push(c.sndNxt, bytes, 0, tcp.nowUs);
    rateSent(c, c.rtx.tail - 1);
    c.sndNxt = (c.sndNxt + bytes) | 0;
    c.dataSegsOut++;
    c.bytesSent += bytes;
  }
  if (c.observer !== undefined) observeSyn(c, ack, flags, bytes, window, again, options);
}

function finishChecksum(c: Connection, addr: number, bytes: number): void {
  const { view, kernel } = c.tcp.memory;
  const pseudo = c.headerSum - c.localPort - c.remotePort + bytes;
  const sum = c.path.checksumOffload ? foldSum(pseudo) : ~foldSum(pseudo + kernel.sum(addr, bytes)) & 0xffff;
  view.setUint16(addr + TCP_CHECKSUM, sum);
  view.setUint16(addr + TCP_URGENT, 0);
}

/** The MSS to announce: what the path lets us receive, RFC 6691 (options are not subtracted). */
export function announcedMssFor(config: TcpConfig, path: TcpPath): number {
  const fromPath = path.deviceMtu - HEADERS_BYTES;
  return config.mss > 0 && config.mss < fromPath ? config.mss : fromPath;
}

/** Ends a connection with <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>. */
export function sendReset(c: Connection): void {
  const { tcp, path } = c;
  const addr = path.reserve(TCP_HEADER_BYTES, c.flowHash);
  if (addr === 0) return;
  writeBareHeader(c, addr, c.sndNxt, c.rcvNxt, RST | ACK);
  path.send(TCP_HEADER_BYTES, 0, 0);
  tcp.stats.OutRsts++;
  tcp.stats.OutSegs++;
  c.segsOut++;
  if (c.observer !== undefined) {
    observeSent(c, c.sndNxt, c.rcvNxt, RST | ACK, 0, 0, false, 0, false, 0, NO_BLOCKS, NO_BLOCKS);
  }
}

function writeBareHeader(c: Connection, addr: number, seq: number, ack: number, flags: number): void {
  const view = c.tcp.memory.view;
  view.setInt32(addr + TCP_SRC_PORT, (c.localPort << 16) | c.remotePort);
  view.setInt32(addr + TCP_SEQ, seq);
  view.setInt32(addr + TCP_ACK, ack);
  view.setInt32(addr + TCP_OFFSET_FLAGS, ((TCP_HEADER_BYTES << 10) | flags) << 16);
  view.setInt32(addr + TCP_CHECKSUM, 0);
  finishChecksum(c, addr, TCP_HEADER_BYTES);
}
