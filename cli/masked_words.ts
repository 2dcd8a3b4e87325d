import { maskedText } from "../src/config/masked.ts";
import { flagOf, type Setting, SETTING_KEYS, settingOf } from "../src/config/settings.ts";

/** The words of a command line that was accepted, without the secrets that settings may hold. */
export function maskedWords(words: readonly string[]): string[] {
  return words.map((word, index) => {
    const equals = word.indexOf("=");
    const inline = equals < 0 ? undefined : settingNamed(word.slice(0, equals));
    if (inline !== undefined) {
      return word.slice(0, equals + 1) + maskedText(inline, word.slice(equals + 1));
    }
    const setting = settingNamed(words[index - 1] ?? "");
    return setting === undefined ? word : maskedText(setting, word);
  });
}

function settingNamed(flag: string): Setting | undefined {
  const key = SETTING_KEYS.find((each) => flagOf(each) === flag.replaceAll("_", "-"));
  return key && settingOf(key);
}
