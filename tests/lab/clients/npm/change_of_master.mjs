// A change of master as the npm package xen-api sees it: its cache goes on, and so do its calls, at the new master.
//
// node change_of_master.mjs NODE_MODULES URL USER PASSWORD HEIR

import { pathToFileURL } from 'node:url'
import { Story, check, until } from './steps.mjs'

const [modules, url, user, password, heir] = process.argv.slice(2)
const load = path => import(pathToFileURL(`${modules}/${path}`).href)
const { Xapi } = await load('xen-api/index.mjs')

const story = new Story()
const xapi = new Xapi({ url, auth: { user, password }, allowUnauthorized: true, callTimeout: 60e3 })

const all = type => Object.values(xapi.objects.indexes.type[type] ?? {})
const seen = (what, look, timeoutS = 90) => until(`${what} in the cache`, timeoutS, look)

async function logIn() {
  await xapi.connect()
  await xapi.objectsFetched
  const hosts = all('host').map(host => host.name_label).sort()
  return { hosts, master: xapi.getObjectByRef(xapi.pool.master).name_label }
}

async function handOver() {
  const host = all('host').find(host => host.name_label === heir)
  await xapi.call('pool.designate_new_master', host.$ref)
  await seen('the new master', () => xapi.getObjectByRef(xapi.pool.master, undefined)?.name_label === heir)
  return { master: heir }
}

// A call goes to the new master, and what it changed comes as an event.
async function write() {
  const made = await until('call that is answered', 60, async () => {
    try {
      return await xapi.call('VM_appliance.create', { name_label: 'after the change', name_description: '' })
    } catch (error) {
      if (!['HOST_IS_SLAVE', 'HOST_STILL_BOOTING', 'SESSION_INVALID', 'ECONNREFUSED'].includes(error.code)) {
        throw error
      }
    }
  })
  const found = await seen('what was written', () => xapi.getObjectByRef(made, undefined))
  check(found.name_label === 'after the change', found)
  await xapi.call('VM_appliance.destroy', made)
  await seen('that it is gone', () => xapi.getObjectByRef(made, undefined) === undefined)
}

let failure
try {
  for (const step of [logIn, handOver, write]) {
    await story.step(step.name, step)
  }
} catch (error) {
  failure = error
}
story.tell(failure)
await xapi.disconnect().catch(() => {})
process.exit(0)
