/**
 * What looks like a letter of a built-in role's name: the confusables of Unicode TR39 (ICU 72), of either
 * case, as they are after a name's folding and without marks. Limited to these letters: names of people and
 * projects may be of any script.
 */
const LOOKALIKES: ReadonlyMap<string, string> = new Map([
  ['a', 'ɑαаᗅ⍶⍺ꓮꭺ𐊠𖽀'],
  ['c', '¢ȼςσсҫᴄ₡ⲥꓚꮯ𐊢𐌂𐐽𐔜𑣩𑣲🅮🝌'],
  ['b', 'ƀƃƅɓβбвьѣҍᏼᑲᑳᖯᗷꓐꞵꮟ𐊂𐊡𐌁'],
  ['d', 'ðđƌɖɗԁᑯᗞᗪ₫ꓒꓓꭰꮷ'],
  ['e', 'ɇεеҽҿ℮⋿ⴹꓰꬲꭼ𐊆𑣆𑣎'],
  ['g', 'ƍǥɠɡԍցᏻᶃꓖꮐ'],
  ['i', '1l|ıłƚǀɨɩɪɫɭιіӏ׀וןا١ٳ۱ߊᛁᵻᵼ∣⍳⍸⏽│ⲓⵏꓲꙇꭵ𐊊𐌉𐌠𑣃𖼨𞣇'],
  ['k', 'ƙκкқҟᛕ₭ⱪⲕꓗꝁꮶ𐔘'],
  ['m', 'ɱμϻмӎᗰᛖᵯ₥ⲙꓟꮇ𐊰𐌑𑜀𑣣'],
  ['n', 'ƞɲɳηνոռᵰⲛꓠ𐆎𐔓'],
  ['o', '0øɵθοσоѳөօסه٥ھہە۵ۿ߀०০੦૦ଠ୦௦౦೦ഠ൦๐໐တဝ၀ჿዐᴏᴑ⊖⊝⍬ⲟⴱⵁⵔ〇ꓳꝋꬽꬾꭴꮎꮻ𐊒𐊫𐐬𐓪𐔖𑓐𑣈𑣕𑣗𑣠𝈚🜔'],
  ['r', 'ɍɼɽʀгғᖇᴦᵲⲅꓣꭇꭈꭱꮁꮢ𐓜𖼵𝈖'],
  ['s', 'ƽʂѕտᵴꓢꜱꮥꮪ𐊖𐑈𑣁𖼺'],
  ['t', 'ŧƭʈτтҭᵵ₮⊤⍡⟙ⱦⲧꓔꭲ𐊗𐊱𐌕𑣜𖼊🝨'],
  ['u', 'ʉʋυսሀᑌᴜᵾ∪⋃ꓴꞟꭎꭒꮜ𐓶𑣘𖽂'],
  ['v', 'νѵט٧۷ᐯᴠ∨⋁ⴸꓦꛟꮩ𐆗𐔝𑜆𑣀𖼈𝈍🜈'],
  ['y', '¥ƴɏɣʏγυуүұყᶌỿⲩꓬꭚꭹꮍ𐊲𑣄𑣜𖽃'],
  ['-', '+˗۔‐‒–—⁃−∸➖⨩⨪ⲻ⸚'],
  [':', 'ː˸։׃܃܄᛬᠃᠉⁚∶ꓽ꞉'],
]);

/** `rn` looks like `m`. */
const ALSO: ReadonlyMap<string, string> = new Map([['m', 'rn']]);

/**
 * A test for keys that spell one of the names in other letters: `аdmin` with a Cyrillic а, `adm1n`. The names
 * themselves pass.
 */
export function spellsOneOf(names: readonly string[]): (key: string) => boolean {
  const spelled = new RegExp(`^(?:${names.map(spellings).join('|')})$`, 'u');
  return (key) => !names.includes(key) && spelled.test(withoutMarks(key));
}

function spellings(name: string): string {
  return Array.from(name)
    .map((letter) => {
      const one = `[${letter === '-' ? '\\-' : letter}${LOOKALIKES.get(letter) ?? ''}]`;
      const also = ALSO.get(letter);
      return also === undefined ? one : `(?:${one}|${also})`;
    })
    .join('');
}

function withoutMarks(key: string): string {
  return key.normalize('NFD').replace(/\p{M}/gu, '');
}
