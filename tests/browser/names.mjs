// Who works at the company that the tests play: believable names in several scripts, the same each
// time; and names that somebody with bad intentions would choose.

const NAMES = [
  [["Ada", "Grace", "Oliver", "Amelia", "Harry", "Isla", "George", "Freya", "Noah", "Ruth"],
    ["Whitfield", "Okafor", "Marsh", "Ellison", "Harding", "O’Connell", "Price", "Sinclair", "Ashworth", "Doyle"]],
  [["Zoë", "Jürgen", "Søren", "Anaïs", "José", "Łukasz", "Břetislav", "Åsa", "Iñigo", "Ðorđe"],
    ["Müller-Lüdenscheidt", "Kærgaard", "Lefèvre", "Núñez", "Wójcik", "Dvořák", "Öberg", "Etxeberria", "Đurić", "Groß"]],
  [["Дмитрий", "Ольга", "Катерина", "Иван"], ["Соколов", "Мельник", "Шевченко", "Попов"]],
  [["Ελένη", "Νίκος", "Μαρία"], ["Παπαδοπούλου", "Καραγιάννης", "Οικονόμου"]],
  [["נועה", "יוסף", "תמר"], ["כהן", "לוי", "מזרחי"]],
  [["ليلى", "أحمد", "مريم"], ["الحسن", "منصور", "القاسم"]],
  [["अनन्या", "अर्जुन", "मीरा"], ["शर्मा", "पटेल", "राव"]],
  [["美咲", "健太", "子涵", "梓轩"], ["佐藤", "高橋", "王", "陈"]],
  [["서연", "민준"], ["김", "박"]],
];
// Most of them with Latin letters, so that a page looks as it does at most customers'.
const WEIGHTS = [46, 30, 5, 3, 3, 4, 4, 3, 2];
const DEPARTMENTS = ["Finance", "Field Operations", "Human Resources", "IT", "Legal", "Logistics", "Marketing",
  "Production", "Quality", "Research", "Sales", "Service"];
const TITLES = ["Analyst", "Buyer", "Clerk", "Controller", "Engineer", "Planner", "Technician", "Trainee"];

// The n-th person of the company.
export function person(n) {
  const [given, family] = NAMES[script(n)];
  const givenName = given[hash(n, 1) % given.length];
  const familyName = family[hash(n, 2) % family.length];
  return {
    givenName,
    familyName,
    displayName: `${givenName} ${familyName}`,
    userName: `${ascii(givenName) || "crew"}.${ascii(familyName) || "member"}${n}@northquay.example`,
    department: DEPARTMENTS[hash(n, 3) % DEPARTMENTS.length],
    title: TITLES[hash(n, 4) % TITLES.length],
    externalId: uuid(n),
  };
}

function script(n) {
  let point = hash(n, 5) % WEIGHTS.reduce((sum, weight) => sum + weight);
  return WEIGHTS.findIndex((weight) => (point -= weight) < 0);
}

// Numbers that look like chance, and are the same each time.
export function hash(n, salt) {
  let x = Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(salt + 1, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return (x ^ (x >>> 15)) >>> 0;
}

export function uuid(n) {
  const hex = (salt) => hash(n, salt).toString(16).padStart(8, "0");
  const [a, b, c, d] = [11, 12, 13, 14].map(hex);
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(1, 4)}-${c.slice(4)}${d}`;
}

const PLAIN = { ß: "ss", æ: "ae", ø: "o", ł: "l", đ: "d", ð: "d" };
const ascii = (text) => text.normalize("NFD").toLowerCase()
  .replace(/[ßæøłđð]/g, (letter) => PLAIN[letter]).replace(/[^a-z]/g, "");

// What must be shown as the text that it is. Where one of the first four had its way,
// `window.__x` is set.
export const HOSTILE = {
  image: "<img src=x onerror=window.__x=1>",
  script: '"><script>window.__x=1</script>',
  vector: "<svg/onload=window.__x=1><animate onbegin=window.__x=1 attributeName=x dur=1s>",
  address: "javascript:window.__x=1",
  style: "</title></textarea></style><style>*{display:none!important}</style>",
  attribute: "' autofocus onfocus=window.__x=1 style='position:fixed;inset:0' x='",
  template: "{{7*7}} ${7*7} #{7*7} {% raw %}",
  entity: "&lt;b&gt;already escaped&lt;/b&gt; &amp;amp;",
  elsewhere: '<link rel=stylesheet href="https://elsewhere.example/x.css"><iframe src="//elsewhere.example">',
  turned: "Adm\u202egnp.exe\u202c \u2066isolated\u2069 \u200fmarked\u200e",
  hidden: "zero\u200bwidth\u2060joined\ufeffmarks",
  formula: "=cmd|'/C calc'!A0",
  stacked: "Z" + "\u0310\u0336\u0489".repeat(60) + "algo",
  endless: "endless " + "x".repeat(9_992),
};
