import { seededRandom } from '@qanat/clock';
import { ConfigError, type DomainConfig, resolveDomainConfig } from '@qanat/xen';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const image = new URL('file:///image.js');

function resolve(config: Record<string, unknown>) {
  return resolveDomainConfig(config as unknown as DomainConfig, seededRandom(1));
}

describe('a domain configuration', () => {
  test('gets its defaults', () => {
    const resolved = resolve({ name: 'server', image, vifs: [{}, { mac: '00-16-3E-00-00-01', ip: '10.0.0.1/8' }] });
    expect(resolved).toEqual({
      name: 'server',
      memoryMiB: 64,
      vifs: [
        {
          index: 0,
          bridge: 'xenbr0',
          mac: expect.stringMatching(/^00:16:3e(:[0-9a-f]{2}){3}$/),
          ip: undefined,
          gateway: undefined,
          mtu: 1500,
          txqueuelen: 1000,
          impair: undefined,
        },
        expect.objectContaining({ index: 1, mac: '00:16:3e:00:00:01', ip: '10.0.0.1/8' }),
      ],
    });
    expect(resolve({ name: 'server', image, vifs: [{}] }).vifs[0]!.mac).toBe(resolved.vifs[0]!.mac);
  });

  const wrong: [Record<string, unknown>, string, RegExp][] = [
    [{ name: '' }, 'name', /1 to 64 letters/],
    [{ name: 'a b' }, 'name', /"a b" is not a domain name/],
    [{ name: 7 }, 'name', /7 is not/],
    [{ name: 'x'.repeat(65) }, 'name', /\.\.\." is not/],
    [{ memoryMiB: 0 }, 'memoryMiB', /whole number of 1 to 2047 MiB/],
    [{ affinity: -1 }, 'affinity', /whole number of 0 to 8191/],
    [{ affinity: '0' }, 'affinity', /"0" is out of range/],
    [{ memoryMiB: 1.5 }, 'memoryMiB', /1.5 is out of range/],
    [{ memoryMiB: Number.NaN }, 'memoryMiB', /NaN is out of range/],
    [{ memoryMiB: '64' }, 'memoryMiB', /"64" is out of range/],
    [{ image: undefined }, 'image', /an URL, a path, or an object with a function "main", got undefined/],
    [{ image: {} }, 'image', /got an object/],
    [{ image: '' }, 'image', /got ""/],
    [{ vifs: 'eth0' }, 'vifs', /expected a list/],
    [{ vifs: Array.from({ length: 65 }, () => ({})) }, 'vifs', /at most 64/],
    [{ vifs: [null] }, 'vifs[0]', /expected an object/],
    [{ vifs: [{ bridge: 'a bridge' }] }, 'vifs[0].bridge', /1 to 15 letters/],
    [{ vifs: [{}, { mtu: 67 }] }, 'vifs[1].mtu', /68 to 65521 bytes/],
    [{ vifs: [{ mtu: 65522 }] }, 'vifs[0].mtu', /out of range/],
    [{ vifs: [{ txqueuelen: 0 }] }, 'vifs[0].txqueuelen', /1 to 1000000 packets/],
    [{ vifs: [{ mac: '00:16:3e' }] }, 'vifs[0].mac', /not a MAC address \(expected six hex bytes/],
    [{ vifs: [{ mac: '01:00:5e:00:00:01' }] }, 'vifs[0].mac', /first byte must be even/],
    [{ vifs: [{ mac: '00:00:00:00:00:00' }] }, 'vifs[0].mac', /group address or zero/],
    [
      { vifs: [{ mac: '00:16:3e:00:00:01' }, { mac: '00:16:3E:00:00:01' }] },
      'vifs[1].mac',
      /address of vifs\[0\] already/,
    ],
    [{ vifs: [{ ip: '192.168.8.101' }] }, 'vifs[0].ip', /lacks its prefix: write it as in 192.168.8.101\/24/],
    [{ vifs: [{ ip: '192.168.8.301/24' }] }, 'vifs[0].ip', /is not an IPv4 address/],
    [{ vifs: [{ ip: '192.168.8.101/33' }] }, 'vifs[0].ip', /is not an IPv4 address/],
    [{ vifs: [{ ip: '192.168.8.0/24' }] }, 'vifs[0].ip', /network or broadcast address/],
    [{ vifs: [{ ip: '192.168.8.255/24' }] }, 'vifs[0].ip', /network or broadcast address/],
    [{ vifs: [{ ip: '224.0.0.1/4' }] }, 'vifs[0].ip', /not an address of a host/],
    [{ vifs: [{ ip: '127.0.0.1/8' }] }, 'vifs[0].ip', /not an address of a host/],
    [{ vifs: [{ gateway: '10.0.0.1' }] }, 'vifs[0].gateway', /needs an address/],
    [{ vifs: [{ ip: '10.0.0.2/24', gateway: '10.0.1.1' }] }, 'vifs[0].gateway', /does not lie in the network/],
    [{ vifs: [{ ip: '10.0.0.2/24', gateway: '10.0.0.2' }] }, 'vifs[0].gateway', /own address/],
    [{ vifs: [{ ip: '10.0.0.2/24', gateway: 'router' }] }, 'vifs[0].gateway', /not an IPv4 address/],
    [{ vifs: [{ impair: 5 }] }, 'vifs[0].impair', /expected an object/],
    [{ vifs: [{ impair: { note: 'x'.repeat(2000) } }] }, 'vifs[0].impair', /at most 1024 fit/],
  ];
  for (const [change, key, message] of wrong) {
    test(`that cannot be: ${key} ${message.source}`, () => {
      expect(() => resolve({ name: 'server', image, ...change })).toThrow(
        expect.objectContaining({
          name: 'ConfigError',
          code: 'ERR_INVALID_CONFIG',
          key,
          message: expect.stringMatching(message),
        }),
      );
    });
  }

  test('of whatever shape is either resolved or refused with a ConfigError of one line', () => {
    const anything = fc.anything();
    const vif = fc.record(
      { bridge: anything, mac: anything, ip: anything, gateway: anything, mtu: anything, impair: anything },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(anything, fc.record({ name: fc.constant('x'), image: fc.constant('/x'), vifs: fc.array(vif) })),
        (config) => {
          try {
            resolve(config as Record<string, unknown>);
          } catch (error) {
            expect(error).toBeInstanceOf(ConfigError);
            expect((error as Error).message).not.toContain('\n');
          }
        },
      ),
    );
  });

  test('with addresses of /31 and /32 networks is fine', () => {
    for (const ip of ['10.0.0.0/31', '10.0.0.1/31', '10.0.0.1/32']) {
      expect(resolve({ name: 'x', image, vifs: [{ ip }] }).vifs[0]!.ip).toBe(ip);
    }
  });
});
