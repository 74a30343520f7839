import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../src/errors.ts';
import { Settings } from '../src/host/sysctl.ts';
import { commandEffects } from '../src/shell/commands.ts';
import { SUITE_DEFAULTS } from '../src/shell/effects.ts';

describe('commands', () => {
  it.each<[string, unknown[]]>([
    ['../common/defaults.sh', [{ kind: 'defaults' }]],
    [
      '../../common/defaults.sh\n ../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0',
      [{ kind: 'defaults' }, { kind: 'sysctl', name: 'ipv4.tcp_timestamps', value: '0' }],
    ],
    ['sysctl -q net.ipv4.tcp_sack=0', [{ kind: 'sysctl', name: 'ipv4.tcp_sack', value: '0' }]],
    [
      'sysctl -w net/ipv4/tcp_sack=0 net.core.somaxconn=5',
      [
        { kind: 'sysctl', name: 'ipv4.tcp_sack', value: '0' },
        { kind: 'sysctl', name: 'core.somaxconn', value: '5' },
      ],
    ],
    [
      './set_sysctls.py "/proc/sys/net/ipv4/tcp_wmem=4096 50000 4194304" /proc/sys/net/ipv4/tcp_rmem="1 2 3"',
      [
        { kind: 'sysctl', name: 'ipv4.tcp_wmem', value: '4096 50000 4194304' },
        { kind: 'sysctl', name: 'ipv4.tcp_rmem', value: '1 2 3' },
      ],
    ],
    ['echo 0 > /proc/sys/net/ipv4/tcp_ecn', [{ kind: 'sysctl', name: 'ipv4.tcp_ecn', value: '0' }]],
    [
      'echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect',
      [{ kind: 'parameter', module: 'tcp_cubic', name: 'hystart_detect', value: '3' }],
    ],
    ['/tmp/sysctl_restore_1234.sh', [{ kind: 'restore' }]],
    ['ip tcp_metrics flush all > /dev/null 2>&1', []],
    [
      'ip route change 192.0.2.0/24 via 1.2.3.4 dev tun0 advmss 1000 mtu lock 1400 initcwnd 5',
      [
        {
          kind: 'route',
          attributes: new Map([
            ['advmss', '1000'],
            ['mtu lock', '1400'],
            ['initcwnd', '5'],
          ]),
        },
      ],
    ],
    ['tc qdisc replace dev tun0 root pfifo', [{ kind: 'qdisc', name: 'fifo' }]],
    ['tc qdisc replace dev tun0 root pfifo limit 0', [{ kind: 'qdisc', name: 'refuse' }]],
    ['tc qdisc add dev tun0 root fq', [{ kind: 'qdisc', name: 'fq' }]],
    [
      'ethtool -K tun0 tso off gso off',
      [
        { kind: 'offload', on: false },
        { kind: 'offload', on: false },
      ],
    ],
    [
      'dd bs=1M count=2 if=/dev/zero of=/tmp/x status=none; rm -f /tmp/y',
      [{ kind: 'file', path: '/tmp/x', bytes: 2 * 1024 * 1024 }],
    ],
    ['sleep 0.5 && true || false', [{ kind: 'sleep', us: 500_000 }]],
    ['grep x /proc/net/tcp | wc -l # comment\nnstat -n', []],
    ['ifconfig tun0 mtu 1400', [{ kind: 'mtu', bytes: 1400 }]],
    ['true \\\n && sysctl -q net.ipv4.tcp_sack=1', [{ kind: 'sysctl', name: 'ipv4.tcp_sack', value: '1' }]],
  ])('%s', (text, effects) => {
    expect(commandEffects(text)).toEqual(effects);
  });

  it.each([
    'iptables -A INPUT',
    'python x.py',
    './unknown.sh',
    'echo 1 > /etc/passwd',
    '(true)',
    'true &',
    'cat < x',
    'sysctl net.ipv4.tcp_sack=$X',
    'echo "open',
    'tc filter add',
    'ip netns add x',
    'dd of=/tmp/x',
  ])('%s is unsupported', (text) => {
    expect(() => commandEffects(text)).toThrow(UnsupportedError);
  });
});

describe('sysctls', () => {
  it('takes the defaults of the suite: a window scale of 8 comes of them', () => {
    const settings = new Settings();
    for (const [name, value] of SUITE_DEFAULTS) settings.set(name, value);
    expect(settings.tcp).toMatchObject({
      rcvBuf: 15728640,
      slowStartAfterIdle: false,
      synRetries: 5,
      timestamps: true,
      sack: true,
      dupThresh: 3,
    });
    expect(settings.wmem).toEqual([4096, 262144, 4194304]);
  });

  it('skips what is not known, by name and by value', () => {
    const settings = new Settings();
    for (const [name, value] of [
      ['ipv4.tcp_nonsense', '1'],
      ['ipv4.tcp_congestion_control', 'vegas'],
      ['ipv4.tcp_fastopen', 'on'],
      ['ipv4.tcp_sack', 'x'],
      ['ipv4.tcp_rmem', '1 2'],
      ['ipv4.tcp_mtu_probing', '7'],
    ] as const) {
      expect(() => settings.set(name, value)).toThrow(UnsupportedError);
    }
  });
});
