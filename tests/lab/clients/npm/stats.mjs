// What a host measures of itself and of a VM, fetched by the npm package xen-api and read as Xen Orchestra reads it:
// columns are known by their names alone, numbers are texts, the newest row comes first, and the step is the asked one.
//
// node stats.mjs NODE_MODULES URL USER PASSWORD VM_NAME

import { pathToFileURL } from 'node:url'
import { Story, check, until } from './steps.mjs'

const [modules, url, user, password, name] = process.argv.slice(2)
const { Xapi } = await import(pathToFileURL(`${modules}/xen-api/index.mjs`).href)

const story = new Story()
const xapi = new Xapi({ url, auth: { user, password }, allowUnauthorized: true })
const vmNamed = () => Object.values(xapi.objects.indexes.type.VM ?? {}).find(vm => vm.name_label === name)

// By the name of a column, where its values go.
const HOST = [
  [/^cpu(\d+)$/, ([, n]) => ['cpus', n]],
  [/^loadavg$/, () => ['load']],
  [/^memory_(total|free)_kib$/, ([, what]) => ['memory', what]],
  [/^pif_eth(\d+)_(rx|tx)$/, ([, n, way]) => ['pifs', way, n]],
  [/^iops_(read|write)_(\w+)$/, ([, way, sr]) => ['iops', way, sr]],
  [/^io_throughput_(read|write)_(\w+)$/, ([, way, sr]) => ['ioThroughput', way, sr]],
  [/^read_latency_(\w+)$/, ([, sr]) => ['latency', 'r', sr]],
]
const VM = [
  [/^cpu(\d+)$/, ([, n]) => ['cpus', n]],
  [/^memory$/, () => ['memory']],
  [/^memory_internal_free$/, () => ['memoryFree']],
  [/^vif_(\d+)_(rx|tx)$/, ([, n, way]) => ['vifs', way, n]],
  [/^vbd_xvd(.)_(read|write)$/, ([, letter, way]) => ['xvds', way, letter]],
  [/^vbd_xvd(.)_iops_(read|write)$/, ([, letter, way]) => ['iops', way, letter]],
]

function put(stats, path, values) {
  const last = path.pop()
  const place = path.reduce((at, key) => (at[key] ??= {}), stats)
  place[last] = values
}

// Of one object, the series oldest first; null is what is not known.
function read(told, kind, uuid, patterns) {
  const stats = {}
  told.meta.legend.forEach((legend, column) => {
    const [fold, of, id, metric] = legend.split(':')
    if (fold !== 'AVERAGE' || of !== kind || id !== uuid) {
      return
    }
    for (const [pattern, path] of patterns) {
      const match = pattern.exec(metric)
      if (match !== null) {
        const values = told.data.map(row => row.values[column])
        check(values.every(value => typeof value === 'string'), metric, values)
        put(stats, path(match), values.map(Number).map(value => (Number.isNaN(value) ? null : value)).reverse())
      }
    }
  })
  return stats
}

async function fetchStats(host, interval) {
  const now = Math.floor(new Date(await xapi.call('host.get_servertime', host.$ref).then(isoOf)).getTime() / 1e3)
  const response = await xapi.getResource('/rrd_updates', {
    host,
    query: { cf: 'AVERAGE', host: 'true', interval, json: 'true', start: now - interval * 12 },
  })
  const told = JSON.parse(await response.body.text())
  check(Number(told.meta.step) === interval, told.meta.step, interval)
  check(Number(told.meta.rows) === told.data.length && Number(told.meta.columns) === told.meta.legend.length)
  const times = told.data.map(row => Number(row.t))
  check(times.every((t, i) => i === 0 || times[i - 1] - t === interval), times)
  return { told, ageS: now - times[0] }
}

const isoOf = time => String(time).replace(/^(\d{4})(\d\d)(\d\d)T/, '$1-$2-$3T')

let host, vm
async function logIn() {
  await xapi.connect()
  await xapi.objectsFetched
  vm = vmNamed()
  host = vm.$resident_on
}

const known = series => (series ?? []).filter(value => value !== null)

const busy = series => known(series).some(value => value > 0)

// A guest that has just started has no rows yet; which SR its disk is in is known a little later, and what it tells of
// itself when it has booted.
async function fine() {
  let found
  await until('three known rows of the VM and of an SR', 300, async () => {
    const { told, ageS } = await fetchStats(host, 5)
    found = { ageS, host: read(told, 'host', host.uuid, HOST), vm: read(told, 'vm', vm.uuid, VM) }
    const ofSrs = Object.values(found.host.iops?.write ?? {})
    const writes = busy(found.vm.xvds?.write?.a) && busy(found.vm.iops?.write?.a) && ofSrs.some(busy)
    const hasBooted = known(found.vm.memoryFree).length > 0 && writes
    return hasBooted && known(found.vm.cpus?.[0]).length >= 3 && ofSrs.some(series => known(series).length >= 3)
  })
  return found
}

async function coarse() {
  const { told } = await fetchStats(host, 60)
  return { host: read(told, 'host', host.uuid, HOST), rows: told.data.length }
}

async function sources() {
  const told = await xapi.call('VM.get_data_sources', vm.$ref)
  const value = await xapi.call('VM.query_data_source', vm.$ref, 'memory')
  return { names: told.map(source => source.name_label), memory: value }
}

try {
  for (const work of [logIn, fine, coarse, sources]) {
    await story.step(work.name, work)
  }
  await xapi.disconnect()
  story.tell()
} catch (error) {
  story.tell(error)
  process.exitCode = 1
}
setTimeout(() => process.exit(), 500).unref()
