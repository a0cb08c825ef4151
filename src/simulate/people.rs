//! Names that people and groups could have, drawn from lists.
//!
//! Among them are those that break careless code: letters beyond ASCII, apostrophes, quotation
//! marks, very long ones. A user principal name is made of the ASCII form, as Entra demands. No name
//! is given out twice.

use std::collections::{HashMap, HashSet};

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_pcg::Pcg64Mcg;

/// A name as it is written, and as it stands in an address.
type Spelled = (&'static str, &'static str);

#[rustfmt::skip]
const GIVEN_NAMES: [Spelled; 56] = [
    ("Ada", "ada"), ("Ahmed", "ahmed"), ("Aïcha", "aicha"), ("Akira", "akira"), ("Alice", "alice"),
    ("Amara", "amara"), ("Anneliese", "anneliese"), ("Ben", "ben"), ("Björn", "bjorn"),
    ("Carlos", "carlos"), ("Chiara", "chiara"), ("Chloé", "chloe"), ("Conan", "conan"),
    ("Daniel", "daniel"), ("Deepa", "deepa"), ("Dmitri", "dmitri"), ("Elif", "elif"),
    ("Emma", "emma"), ("Fatima", "fatima"), ("Femi", "femi"), ("François", "francois"),
    ("Grace", "grace"), ("Hannah", "hannah"), ("Hiroshi", "hiroshi"), ("Ingrid", "ingrid"),
    ("Jack", "jack"), ("José", "jose"), ("Jürgen", "jurgen"), ("Kateryna", "kateryna"),
    ("Kwame", "kwame"), ("Leïla", "leila"), ("Liam", "liam"), ("Łukasz", "lukasz"),
    ("Mairéad", "mairead"), ("Marie-Claire", "marie-claire"), ("Mei", "mei"), ("Miguel", "miguel"),
    ("Mohammed", "mohammed"), ("Nadia", "nadia"), ("Noah", "noah"), ("Olga", "olga"),
    ("Oliver", "oliver"), ("Priya", "priya"), ("Rafael", "rafael"), ("Rosa", "rosa"),
    ("Sean", "sean"), ("Siobhán", "siobhan"), ("Søren", "soren"), ("Sunita", "sunita"),
    ("Tariq", "tariq"), ("Thandiwe", "thandiwe"), ("Thomas", "thomas"), ("Yuki", "yuki"),
    ("Zoë", "zoe"), ("Žaneta", "zaneta"), ("美咲", "misaki"),
];

#[rustfmt::skip]
const FAMILY_NAMES: [Spelled; 64] = [
    ("Abebe", "abebe"), ("Almeida", "almeida"), ("Andersson", "andersson"), ("Bauer", "bauer"),
    ("Bianchi", "bianchi"), ("Brown", "brown"), ("Chen", "chen"), ("Cohen", "cohen"),
    ("D'Angelo", "d'angelo"), ("Demir", "demir"), ("Diallo", "diallo"), ("Dubois", "dubois"),
    ("Eriksen", "eriksen"), ("Featherstonehaugh-Cholmondeley", "featherstonehaugh-cholmondeley"),
    ("Fernández", "fernandez"), ("Fischer", "fischer"), ("García Márquez", "garciamarquez"),
    ("Grünwald", "grunwald"), ("Haddad", "haddad"), ("Hernández", "hernandez"), ("Horvat", "horvat"),
    ("Ibrahim", "ibrahim"), ("Ivanova", "ivanova"), ("Jansen", "jansen"), ("Jones", "jones"),
    ("Kaya", "kaya"), ("Kim", "kim"), ("Kowalski", "kowalski"), ("Kumar", "kumar"),
    ("Lefèvre", "lefevre"), ("Lindström", "lindstrom"), ("Lovelace", "lovelace"), ("Mbeki", "mbeki"),
    ("McCarthy", "mccarthy"), ("Moreau", "moreau"), ("Müller", "muller"), ("Nakamura", "nakamura"),
    ("Nguyễn", "nguyen"), ("Novák", "novak"), ("O'Brien", "o'brien"), ("Okafor", "okafor"),
    ("Olsen", "olsen"), ("Øverland", "overland"), ("Papadopoulou", "papadopoulou"),
    ("Patel", "patel"), ("Petrov", "petrov"), ("Quispe", "quispe"), ("Rossi", "rossi"),
    ("Sánchez", "sanchez"), ("Schmidt", "schmidt"), ("Silva", "silva"), ("Singh", "singh"),
    ("Smith", "smith"), ("Şahin", "sahin"), ("Tanaka", "tanaka"), ("Taylor", "taylor"),
    ("van der Berg", "vanderberg"), ("Wang", "wang"), ("Weiß", "weiss"), ("Williams", "williams"),
    ("Yılmaz", "yilmaz"), ("Zając", "zajac"), ("Zhang", "zhang"), ("佐藤", "sato"),
];

/// What the first groups are called. Those that most apps map to roles come first, so that
/// mappings can be written before anything was simulated.
pub(super) const GROUP_NAMES: [&str; 20] = [
    "Employees",
    "IT Admins",
    "Engineering",
    "Sales",
    "Finance",
    "Support",
    "Contractors",
    "Marketing",
    "People & Culture",
    "Legal",
    "Operations",
    "Product",
    "Büro Zürich",
    "Équipe Montréal",
    "東京オフィス",
    "Children's Hospital Programme",
    "R&D \"Skunkworks\"",
    "Design \\ Research",
    "Executive Assistants",
    "Global Information Security Governance, Risk and Compliance Working Group (Europe, Middle \
     East and Africa)",
];

#[rustfmt::skip]
const PROJECTS: [&str; 24] = [
    "Albatross", "Avocet", "Bittern", "Curlew", "Dunlin", "Eider", "Fulmar", "Gannet", "Godwit",
    "Grebe", "Heron", "Kittiwake", "Knot", "Lapwing", "Osprey", "Petrel", "Plover", "Puffin",
    "Redshank", "Sanderling", "Shearwater", "Skua", "Tern", "Turnstone",
];

#[rustfmt::skip]
const COMPANIES: [&str; 12] = [
    "adatum", "contoso", "fabrikam", "lamna", "litware", "margies", "northwind", "proseware",
    "relecloud", "tailspin", "wingtip", "woodgrove",
];

#[rustfmt::skip]
const TITLES: [&str; 14] = [
    "Account Executive", "Analyst", "Assistant", "Consultant", "Controller", "Counsel", "Designer",
    "Director", "Engineer", "Head of Department", "Manager", "Senior Engineer", "Specialist",
    "Vice President",
];

const LANGUAGES: [&str; 6] = ["de-CH", "en-GB", "en-US", "es-ES", "fr-CA", "ja-JP"];

const PLACES: [(&str, &str); 6] = [
    ("Zürich", "CH"),
    ("London", "GB"),
    ("Seattle", "US"),
    ("San Sebastián", "ES"),
    ("Montréal", "CA"),
    ("東京", "JP"),
];

/// What somebody is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As parents give it.
    pub given: &'static str,
    /// As families hand it down.
    pub family: &'static str,
    /// The user principal name, which is the e-mail address too.
    pub principal: String,
}

/// Gives out names, none twice.
#[derive(Debug)]
pub struct Namer {
    domain: String,
    /// How often each local part was wanted.
    principals: HashMap<String, u32>,
    groups: HashSet<String>,
}

impl Namer {
    /// For a company that is drawn.
    pub fn draw(random: &mut Pcg64Mcg) -> Self {
        let company = COMPANIES.choose(random).copied().unwrap_or_default();
        let domain = format!("{company}.example");
        Self { domain, principals: HashMap::new(), groups: HashSet::new() }
    }

    /// The domain of all addresses.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Somebody new.
    pub fn person(&mut self, random: &mut Pcg64Mcg) -> Name {
        let given = draw(random, &GIVEN_NAMES);
        let family = draw(random, &FAMILY_NAMES);
        self.named(given, family)
    }

    /// Somebody who keeps the given name and takes another family name.
    pub fn renamed(&mut self, random: &mut Pcg64Mcg, given: &str) -> Name {
        let given = GIVEN_NAMES.iter().find(|(written, _)| *written == given);
        let given = given.copied().unwrap_or_else(|| draw(random, &GIVEN_NAMES));
        let family = draw(random, &FAMILY_NAMES);
        self.named(given, family)
    }

    fn named(&mut self, given: Spelled, family: Spelled) -> Name {
        let local = format!("{}.{}", given.1, family.1);
        let wanted = self.principals.entry(local.clone()).or_insert(0);
        *wanted += 1;
        let principal = match *wanted {
            1 => format!("{local}@{}", self.domain),
            // A digit cannot be mistaken for a part of anybody's name.
            more => format!("{local}{more}@{}", self.domain),
        };
        Name { given: given.0, family: family.0, principal }
    }

    /// The name of the group at this position, from 0.
    pub fn group(&mut self, position: usize) -> String {
        let fixed = GROUP_NAMES.get(position).map(|name| (*name).to_owned());
        let name = fixed.unwrap_or_else(|| {
            let nth = position.saturating_sub(GROUP_NAMES.len());
            let bird = PROJECTS.get(nth % PROJECTS.len()).copied().unwrap_or_default();
            match nth / PROJECTS.len() {
                0 => format!("Project {bird}"),
                round => format!("Project {bird} {}", round + 1),
            }
        });
        self.groups.insert(name.clone());
        name
    }

    /// Another name for a group of this name, one that no group ever had.
    pub fn group_renamed(&mut self, random: &mut Pcg64Mcg, before: &str) -> String {
        let base = before.split(" (formerly ").next().unwrap_or(before);
        let base = base.split(" – ").next().unwrap_or(base);
        let word = PROJECTS.choose(random).copied().unwrap_or_default();
        let mut name = format!("{base} – {word}");
        // Each round makes another name: one of them is free.
        for round in 2_u32.. {
            if self.groups.insert(name.clone()) {
                break;
            }
            name = format!("{base} – {word} {round}");
        }
        name
    }
}

/// A job title.
pub fn title(random: &mut Pcg64Mcg) -> String {
    TITLES.choose(random).copied().unwrap_or_default().to_owned()
}

/// A telephone number as directories hold it: with spaces, which must not be changed.
pub fn phone(random: &mut Pcg64Mcg) -> String {
    let (area, number) = (random.random_range(20..80), random.random_range(100_000..1_000_000));
    format!("+41 {area} {number}")
}

/// A language, and a place where it may be spoken: language tag, town, country.
pub fn place(random: &mut Pcg64Mcg) -> (&'static str, &'static str, &'static str) {
    let language = LANGUAGES.choose(random).copied().unwrap_or_default();
    let (town, country) = PLACES.choose(random).copied().unwrap_or_default();
    (language, town, country)
}

fn draw(random: &mut Pcg64Mcg, names: &[Spelled]) -> Spelled {
    names.choose(random).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn nobody_shares_an_address_and_all_addresses_are_ascii() {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let mut namer = Namer::draw(&mut random);

        let drawn: Vec<Name> = (0..20_000).map(|_| namer.person(&mut random)).collect();

        let addresses: HashSet<&str> = drawn.iter().map(|name| name.principal.as_str()).collect();
        assert_eq!(addresses.len(), drawn.len());
        assert!(addresses.iter().all(|address| address.is_ascii() && !address.contains(' ')));
        assert!(drawn.iter().any(|name| !name.family.is_ascii()));
        assert!(addresses.iter().any(|address| address.contains('\'')));
    }

    #[test]
    fn no_group_takes_a_name_that_another_ever_had() {
        let mut random = Pcg64Mcg::seed_from_u64(2);
        let mut namer = Namer::draw(&mut random);
        let mut names: Vec<String> = (0..200).map(|position| namer.group(position)).collect();
        let mut seen: HashSet<String> = names.iter().cloned().collect();
        assert_eq!(seen.len(), names.len());

        for _ in 0..50 {
            for name in &mut names {
                *name = namer.group_renamed(&mut random, name);
                assert!(seen.insert(name.clone()), "{name} was given out before");
            }
        }
    }
}
