// The life of a VM as the npm package xen-api sees it: everything that is waited for is waited for in its cache, which
// the package keeps true by following the events of the pool.
//
// node life_of_a_vm.mjs NODE_MODULES URL USER PASSWORD VM_NAME

import { pathToFileURL } from 'node:url'
import { Story, check, fetchGuest, refusal, until } from './steps.mjs'

const [modules, url, user, password, name] = process.argv.slice(2)
const load = path => import(pathToFileURL(`${modules}/${path}`).href)
const { Xapi } = await load('xen-api/index.mjs')
const { CancelToken } = (await load('promise-toolbox/index.js')).default

const story = new Story()
const xapi = new Xapi({ url, auth: { user, password }, allowUnauthorized: true, callTimeout: 180e3 })

const all = type => Object.values(xapi.objects.indexes.type[type] ?? {})
const named = (type, label) => all(type).find(object => object.name_label === label)
const cached = ref => xapi.getObjectByRef(ref, undefined)
const seen = (what, look, timeoutS = 90) => until(`${what} in the cache`, timeoutS, look)
const seenState = (vm, state) => seen(state, () => cached(vm)?.power_state === state)
const addressOf = vm => cached(vm)?.$guest_metrics?.networks['0/ip']
const disksOf = vm => cached(vm).$VBDs.filter(vbd => vbd.type === 'Disk' && !vbd.empty)

async function logIn() {
  await xapi.connect()
  await xapi.objectsFetched
  const host = xapi.getObjectByRef(xapi.pool.master)
  return { host: host.name_label, product: host.software_version.product_brand, objects: Object.keys(xapi.objects.all).length }
}

async function barrier() {
  await xapi.setFieldEntry('pool', xapi.pool.$ref, 'other_config', 'story', name)
  const pool = await xapi.barrier(xapi.pool.$ref)
  check(pool.other_config.story === name, pool.other_config)
  await xapi.setFieldEntry('pool', xapi.pool.$ref, 'other_config', 'story', null)
  const after = await xapi.barrier(xapi.pool.$ref)
  check(!('story' in after.other_config), after.other_config)
}

let vm
async function make() {
  const template = named('VM', 'Cardume lab guest')
  check(template.is_a_template)
  vm = await xapi.callAsync('VM.clone', template.$ref, name)
  await xapi.callAsync('VM.provision', vm)
  const made = await xapi.barrier(vm)
  check(made.name_label === name && !made.is_a_template, made)
  check(made.power_state === 'Halted' && disksOf(vm).length === 1)
  check(disksOf(vm)[0].$VDI.$ref !== template.$VBDs[0].$VDI.$ref)
}

// XO's way to watch: start by hand, then wait for the end of the task in the cache.
async function start() {
  const task = await xapi.call('Async.VM.start', vm, false, false)
  check(await xapi.watchTask(task) === '')
  const ended = await xapi.barrier(task)
  check(ended.status === 'success' && ended.progress === 1, ended)
  await xapi.call('task.destroy', task)
  await xapi.barrier()
  check(cached(task) === undefined)
  await seenState(vm, 'Running')
  check(cached(vm).$resident_on.$ref === xapi.pool.master)
}

let address, first
async function answer() {
  address = await seen('address', () => addressOf(vm), 240)
  first = await fetchGuest(address, 240)
  check(first.errors === 0 && first.disk_ticks !== null, first)
  return { address, ...first }
}

let spare, drive
async function plugDisk() {
  spare = await xapi.callAsync('VDI.create', {
    name_label: `${name} spare`,
    name_description: '',
    SR: disksOf(vm)[0].$VDI.SR,
    virtual_size: 64 << 20,
    type: 'user',
    sharable: false,
    read_only: false,
    other_config: {},
  })
  drive = await xapi.call('VBD.create', {
    VM: vm,
    VDI: spare,
    userdevice: (await xapi.call('VM.get_allowed_VBD_devices', vm))[0],
    bootable: false,
    mode: 'RW',
    type: 'Disk',
    empty: false,
    other_config: {},
    qos_algorithm_type: '',
    qos_algorithm_params: {},
  })
  await xapi.callAsync('VBD.plug', drive)
  await seen('plugged disk', () => cached(drive)?.currently_attached)
  check(Number((await xapi.barrier(spare)).virtual_size) === 64 << 20, cached(spare))
  return { device: cached(drive).device }
}

async function unplugDisk() {
  const whileInUse = await refusal(() => xapi.callAsync('VDI.destroy', spare))
  await xapi.callAsync('VBD.unplug', drive)
  await seen('unplugged disk', () => cached(drive)?.currently_attached === false)
  await xapi.call('VBD.destroy', drive)
  await xapi.callAsync('VDI.destroy', spare)
  await seen('end of the disk', () => cached(drive) === undefined && cached(spare) === undefined)
  return { whileInUse: whileInUse[0] }
}

let before
async function suspend() {
  before = await fetchGuest(address, 240)
  await xapi.callAsync('VM.suspend', vm)
  await seenState(vm, 'Suspended')
  const whileSuspended = await refusal(() => xapi.callAsync('VM.start', vm, false, false))
  check(cached(vm).$suspend_VDI?.type === 'suspend', cached(vm).suspend_VDI)
  return { whileSuspended, ticks: before.ticks }
}

async function resume() {
  await xapi.callAsync('VM.resume', vm, false, false)
  await seenState(vm, 'Running')
  const after = await fetchGuest(address, 240)
  const later = await until('next tick of the guest', 90, async () => {
    const page = await fetchGuest(address, 240)
    return page.ticks > after.ticks && page
  })
  check(after.boot_id === first.boot_id && later.boot_id === first.boot_id, first, after)
  check(after.ticks >= before.ticks && later.ticks > after.ticks, before, after, later)
  check(later.errors === 0, later)
  return { ticks: [before.ticks, after.ticks, later.ticks] }
}

async function shutDown() {
  await xapi.callAsync('VM.clean_shutdown', vm)
  await seenState(vm, 'Halted')
  await seen('end of the metrics', () => cached(vm).$guest_metrics === undefined)
}

async function clone() {
  const copy = await xapi.callAsync('VM.clone', vm, `${name} copy`)
  const made = await xapi.barrier(copy)
  check(made.name_label === `${name} copy` && made.power_state === 'Halted', made)
  const [disk] = disksOf(copy).map(vbd => vbd.VDI)
  check(disk !== undefined && disk !== disksOf(vm)[0].VDI, disk)
  await xapi.callAsync('VM.destroy', copy)
  await xapi.callAsync('VDI.destroy', disk)
  await seen('end of the copy', () => cached(copy) === undefined && cached(disk) === undefined)
}

async function destroy() {
  const disks = disksOf(vm).map(vbd => vbd.VDI)
  await xapi.callAsync('VM.destroy', vm)
  for (const disk of disks) {
    await xapi.callAsync('VDI.destroy', disk)
  }
  await seen('end of the VM', () => [vm, ...disks].every(ref => cached(ref) === undefined))
}

// A guest without a system never hears the request to shut down: the task goes on until it is cancelled.
async function cancel() {
  const template = named('VM', 'Other install media')
  const blank = await xapi.callAsync('VM.clone', template.$ref, `${name} blank`)
  await (await xapi.barrier(blank)).update_other_config('disks', null)
  await xapi.callAsync('VM.provision', blank)
  const memory = 64 << 20
  await xapi.call('VM.set_memory_limits', blank, memory, memory, memory, memory)
  await xapi.callAsync('VM.start', blank, false, false)
  const { cancel, token } = CancelToken.source()
  const ending = xapi.callAsync(token, 'VM.clean_shutdown', blank)
  await seen('operation', () => Object.values(cached(blank).current_operations).includes('clean_shutdown'))
  const meanwhile = await refusal(() => xapi.callAsync('VM.suspend', blank))
  const began = Date.now()
  cancel()
  const outcome = await refusal(() => ending)
  const tookS = (Date.now() - began) / 1e3
  await seen('end of the operation', () => Object.keys(cached(blank).current_operations).length === 0)
  check(cached(blank).power_state === 'Running', cached(blank).power_state)
  await xapi.callAsync('VM.hard_shutdown', blank)
  await xapi.callAsync('VM.destroy', blank)
  return { meanwhile, outcome, tookS }
}

async function refusals() {
  return {
    unknown: await refusal(() => xapi.call('VM.start', 'OpaqueRef:none', false, false)),
    template: await refusal(() => xapi.callAsync('VM.start', named('VM', 'Cardume lab guest').$ref, false, false)),
    gone: await refusal(() => xapi.call('VM.get_record', vm)),
    noMethod: await refusal(() => xapi.call('VM.fly', vm)),
  }
}

// A session that the server has closed: the package logs in again by itself and fetches everything anew.
async function reconnect() {
  const other = new Xapi({ url, auth: { user, password }, allowUnauthorized: true, watchEvents: false })
  await other.connect()
  const old = xapi.sessionId
  await other._call('session.logout', [old])
  const addresses = (await xapi.getAllRecords('host')).map(host => host.address)
  check(xapi.sessionId !== old)
  await xapi.barrier()
  await other.disconnect()
  return { addresses }
}

const steps = {
  logIn, barrier, make, start, answer, plugDisk, unplugDisk, suspend, resume, shutDown, clone, destroy, refusals, cancel, reconnect,
}
try {
  for (const [label, work] of Object.entries(steps)) {
    await story.step(label, work)
  }
  await xapi.disconnect()
  story.tell()
} catch (error) {
  story.tell(error)
  process.exitCode = 1
}
setTimeout(() => process.exit(), 500).unref() // the event poll of the closed session need not be waited for
