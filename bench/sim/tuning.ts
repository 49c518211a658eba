import { DEFAULT_TUNING, type Tuning } from './scenario.ts'

/** What a value of a setting must look like. */
const WORDS: Partial<Record<keyof Tuning, readonly string[]>> = {
  binding: ['grant', 'show', 'ask'],
  takeover: ['never', 'end', 'always'],
  choice: ['policy', 'random'],
}

/**
 * Every combination of settings such as `grants=4,8`.
 * @throws an `Error` that says what is wrong
 */
export function tunings(settings: readonly string[]): { name: string; tuning: Tuning }[] {
  let all: { name: string; tuning: Tuning }[] = [{ name: '', tuning: DEFAULT_TUNING }]
  for (const setting of settings) {
    const [key = '', list = ''] = setting.split('=')
    if (!isKey(key)) throw new Error(`there is no setting ${key}; expected one of ${Object.keys(DEFAULT_TUNING).join(', ')}`)
    const values = list.split(',').map((text) => parseValue(key, text))
    all = all.flatMap(({ name, tuning }) => values.map((value) => ({ name: `${name} ${key}=${value}`.trim(), tuning: { ...tuning, [key]: value } })))
  }
  return all
}

function isKey(key: string): key is keyof Tuning {
  return Object.hasOwn(DEFAULT_TUNING, key)
}

function parseValue(key: keyof Tuning, text: string): string | number {
  const words = WORDS[key]
  if (words) {
    if (words.includes(text)) return text
    throw new Error(`${key} is ${text}; expected ${words.join(' or ')}`)
  }
  const value = Number(text)
  if (text === '' || !(value >= 0)) throw new Error(`${key} is ${text}; expected a number of at least 0`)
  return value
}
