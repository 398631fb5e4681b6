// What each step of a story found and how long it took, printed as one JSON object at its end, whatever ended it.

export class Story {
  #began = Date.now()
  #steps = []

  // Do one step; what it returns is told beside its name and time.
  async step(name, work) {
    const began = Date.now()
    const told = await work()
    this.#steps.push({ step: name, took_s: (Date.now() - began) / 1e3, ...told })
  }

  tell(error) {
    const failure = error === undefined ? null : { message: String(error?.message ?? error), stack: String(error?.stack) }
    const took_s = (Date.now() - this.#began) / 1e3
    console.log(JSON.stringify({ took_s, steps: this.#steps, failure }))
  }
}

// Refuse what is not so, with the values that were compared.
export function check(fact, ...seen) {
  if (!fact) {
    throw new Error(`not so: ${JSON.stringify(seen)}`)
  }
}

export function sleep(s) {
  return new Promise(resolve => setTimeout(resolve, s * 1e3))
}

// Wait until `look()` gives something; an error naming `what` when that takes too long.
export async function until(what, timeoutS, look) {
  const deadline = Date.now() + timeoutS * 1e3
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false && found !== null) {
      return found
    }
    if (Date.now() > deadline) {
      throw new Error(`within ${timeoutS} s there was no ${what}`)
    }
    await sleep(0.05)
  }
}

// What the lab's guest tells of itself.
export async function fetchGuest(address, timeoutS) {
  return until(`answer of http://${address}/`, timeoutS, async () => {
    try {
      const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(5e3) })
      return await response.json()
    } catch {
      return undefined // it boots, or is on its way back
    }
  })
}

// The error that work is refused with, as `[code, parameter…]`; null when it is not refused.
export async function refusal(work) {
  try {
    await work()
    return null
  } catch (error) {
    return error.code === undefined ? [error.message] : [error.code, ...(error.params ?? [])]
  }
}
