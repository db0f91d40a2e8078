//! What an alert can be about: the event vocabulary, with what each event means to a receiver.
//!
//! Words are neutral: people are migrants, returnees or people on the move, and nothing in a label judges them.

use super::{Category, ResponseType};

super::vocabulary! {
    /// The event of an alert; in CAP an `eventCode` named `SahelPlus:event:1`.
    Event {
        1 SeaShipwreck = "sea.shipwreck",
        2 SeaBoatDistress = "sea.boat_distress",
        3 SeaBoatMissing = "sea.boat_missing",
        4 SeaRescue = "sea.rescue",
        5 SeaInterception = "sea.interception",
        6 SeaDisembarkation = "sea.disembarkation",
        7 SeaBodiesRecovered = "sea.bodies_recovered",
        8 SeaDangerousConditions = "sea.dangerous_conditions",
        9 ReturnConvoyLand = "return.convoy_land",
        10 ReturnExpulsionBorder = "return.expulsion_border",
        11 ReturnCharterAir = "return.charter_air",
        12 ReturnVoluntaryGroup = "return.voluntary_group",
        13 LandGroupStranded = "land.group_stranded",
        14 LandDesertDistress = "land.desert_distress",
        15 LandVehicleAccident = "land.vehicle_accident",
        16 LandArrestsRaids = "land.arrests_raids",
        17 LandDetentionRelease = "land.detention_release",
        18 BorderClosed = "border.closed",
        19 BorderReopened = "border.reopened",
        20 BorderRestricted = "border.restricted",
        21 AccessHumanitarianDenied = "access.humanitarian_denied",
        22 AccessRestored = "access.restored",
        23 SecurityAttackOnRoute = "security.attack_on_route",
        24 HealthOutbreak = "health.outbreak",
        25 HealthMassDehydration = "health.mass_dehydration",
        26 EnvFlood = "env.flood",
        27 EnvExtremeHeat = "env.extreme_heat",
        28 EnvSandstorm = "env.sandstorm",
        29 ProtectionTraffickingRisk = "protection.trafficking_risk",
        30 ProtectionUascGroup = "protection.uasc_group",
        31 ProtectionViolencePattern = "protection.violence_pattern",
        32 InfoScamOrRumour = "info.scam_or_rumour",
        33 RouteShift = "route.shift",
        34 ServiceSuspended = "service.suspended",
        35 ServiceResumed = "service.resumed",
        36 ServiceOverCapacity = "service.over_capacity",
        37 GeneralAllClear = "general.all_clear",
    }
}

/// What goes with one event: CAP categories, the response asked for by default, and its name in four languages.
struct Meaning {
    categories: &'static [Category],
    response: ResponseType,
    fr: &'static str,
    en: &'static str,
    pt: &'static str,
    ar: &'static str,
}

impl Event {
    /// The CAP categories of the event, the main one first.
    #[must_use]
    pub fn categories(self) -> &'static [Category] {
        self.meaning().categories
    }

    /// The response asked of receivers when the author states none.
    #[must_use]
    pub fn default_response(self) -> ResponseType {
        self.meaning().response
    }

    /// The name of the event in `language` (BCP 47; only the primary subtag counts): French, English,
    /// Portuguese or Arabic. Any other language gets French, the network's most common working language.
    #[must_use]
    pub fn label(self, language: &str) -> &'static str {
        let meaning = self.meaning();
        match language.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => meaning.en,
            "pt" => meaning.pt,
            "ar" => meaning.ar,
            _ => meaning.fr,
        }
    }

    /// Whether the event, told widely, can harm the people it is about: such an alert is `restricted`
    /// unless its author says otherwise.
    #[must_use]
    pub fn restricted_by_default(self) -> bool {
        matches!(self, Self::LandArrestsRaids | Self::RouteShift)
    }

    #[rustfmt::skip]
    fn meaning(self) -> Meaning {
        use Category::{Health, Met, Other, Rescue, Safety, Security, Transport};
        use ResponseType::{AllClear, Assess, Avoid, Execute, Monitor, Prepare};
        const fn is(
            categories: &'static [Category],
            response: ResponseType,
            [fr, en, pt, ar]: [&'static str; 4],
        ) -> Meaning {
            Meaning { categories, response, fr, en, pt, ar }
        }
        match self {
            Self::SeaShipwreck => is(&[Rescue, Transport], Execute, ["Naufrage", "Shipwreck", "Naufrágio", "غرق مركب"]),
            Self::SeaBoatDistress => is(&[Rescue], Execute, ["Embarcation en détresse", "Boat in distress", "Embarcação em perigo", "قارب في خطر"]),
            Self::SeaBoatMissing => is(&[Rescue], Monitor, ["Embarcation sans nouvelles", "Boat without news", "Embarcação sem notícias", "قارب انقطعت أخباره"]),
            Self::SeaRescue => is(&[Rescue], Prepare, ["Sauvetage en mer", "Rescue at sea", "Salvamento no mar", "إنقاذ في البحر"]),
            Self::SeaInterception => is(&[Security], Prepare, ["Interception en mer", "Interception at sea", "Interceção no mar", "اعتراض في البحر"]),
            Self::SeaDisembarkation => is(&[Rescue, Transport], Prepare, ["Débarquement de rescapés", "Survivors brought ashore", "Desembarque de sobreviventes", "إنزال ناجين إلى البر"]),
            Self::SeaBodiesRecovered => is(&[Rescue, Health], Assess, ["Corps retrouvés", "Bodies recovered", "Corpos recuperados", "العثور على جثامين"]),
            Self::SeaDangerousConditions => is(&[Met], Avoid, ["Mer dangereuse", "Dangerous sea", "Mar perigoso", "بحر خطِر"]),
            Self::ReturnConvoyLand => is(&[Transport], Prepare, ["Convoi de retour par voie terrestre", "Return convoy by land", "Comboio de regresso por terra", "قافلة عودة برية"]),
            Self::ReturnExpulsionBorder => is(&[Security], Prepare, ["Expulsion / refoulement à la frontière", "Expulsion or pushback at the border", "Expulsão ou devolução na fronteira", "طرد أو إعادة عند الحدود"]),
            Self::ReturnCharterAir => is(&[Transport], Prepare, ["Vol de retour", "Return flight", "Voo de regresso", "رحلة عودة جوية"]),
            Self::ReturnVoluntaryGroup => is(&[Transport], Prepare, ["Retour volontaire (groupe)", "Voluntary return (group)", "Regresso voluntário (grupo)", "عودة طوعية (مجموعة)"]),
            Self::LandGroupStranded => is(&[Rescue, Safety], Execute, ["Groupe bloqué", "Stranded group", "Grupo retido", "مجموعة عالقة"]),
            Self::LandDesertDistress => is(&[Rescue], Execute, ["Détresse dans le désert", "Distress in the desert", "Pessoas em perigo no deserto", "أشخاص في خطر في الصحراء"]),
            Self::LandVehicleAccident => is(&[Transport], Execute, ["Accident de transport", "Transport accident", "Acidente de transporte", "حادث نقل"]),
            Self::LandArrestsRaids => is(&[Security], Assess, ["Arrestations / rafles", "Arrests or round-ups", "Detenções ou rusgas", "توقيفات أو حملات توقيف"]),
            Self::LandDetentionRelease => is(&[Security], Prepare, ["Sortie de détention (groupe)", "Release from detention (group)", "Saída de detenção (grupo)", "إفراج عن مجموعة محتجزة"]),
            Self::BorderClosed => is(&[Transport, Security], Avoid, ["Frontière fermée", "Border closed", "Fronteira fechada", "حدود مغلقة"]),
            Self::BorderReopened => is(&[Transport, Security], AllClear, ["Frontière rouverte", "Border reopened", "Fronteira reaberta", "إعادة فتح الحدود"]),
            Self::BorderRestricted => is(&[Transport, Security], Monitor, ["Passage restreint à la frontière", "Border crossing restricted", "Passagem restrita na fronteira", "عبور مقيّد عند الحدود"]),
            Self::AccessHumanitarianDenied => is(&[Security], Assess, ["Accès humanitaire refusé", "Humanitarian access denied", "Acesso humanitário recusado", "منع الوصول الإنساني"]),
            Self::AccessRestored => is(&[Security], AllClear, ["Accès humanitaire rétabli", "Humanitarian access restored", "Acesso humanitário restabelecido", "عودة الوصول الإنساني"]),
            Self::SecurityAttackOnRoute => is(&[Security], Avoid, ["Attaque / insécurité sur l'axe", "Attack or insecurity on the road", "Ataque ou insegurança na estrada", "هجوم أو انعدام أمن على الطريق"]),
            Self::HealthOutbreak => is(&[Health], Assess, ["Épidémie", "Outbreak of disease", "Surto de doença", "تفشي مرض"]),
            Self::HealthMassDehydration => is(&[Health], Execute, ["Déshydratation collective", "Dehydration of many people", "Desidratação de muitas pessoas", "جفاف يصيب عددا كبيرا من الناس"]),
            Self::EnvFlood => is(&[Met], Avoid, ["Inondation", "Flood", "Inundação", "فيضان"]),
            Self::EnvExtremeHeat => is(&[Met], Avoid, ["Chaleur extrême", "Extreme heat", "Calor extremo", "حر شديد"]),
            Self::EnvSandstorm => is(&[Met], Avoid, ["Tempête de sable", "Sandstorm", "Tempestade de areia", "عاصفة رملية"]),
            Self::ProtectionTraffickingRisk => is(&[Safety], Assess, ["Risque de traite des personnes", "Risk of trafficking in persons", "Risco de tráfico de pessoas", "خطر الاتجار بالأشخاص"]),
            Self::ProtectionUascGroup => is(&[Safety], Prepare, ["Groupe d'enfants non accompagnés", "Group of unaccompanied children", "Grupo de crianças não acompanhadas", "مجموعة أطفال غير مصحوبين"]),
            Self::ProtectionViolencePattern => is(&[Safety], Assess, ["Violences récurrentes", "Recurrent violence", "Violência recorrente", "عنف متكرر"]),
            Self::InfoScamOrRumour => is(&[Other], Monitor, ["Rumeur / arnaque", "Rumour or scam", "Boato ou burla", "إشاعة أو احتيال"]),
            Self::RouteShift => is(&[Transport], Monitor, ["Déplacement de route ou de point de départ", "Change of route or departure point", "Mudança de rota ou de ponto de partida", "تغيّر المسار أو نقطة الانطلاق"]),
            Self::ServiceSuspended => is(&[Other], Assess, ["Service suspendu", "Service suspended", "Serviço suspenso", "خدمة معلّقة"]),
            Self::ServiceResumed => is(&[Other], Assess, ["Service repris", "Service resumed", "Serviço retomado", "استئناف خدمة"]),
            Self::ServiceOverCapacity => is(&[Other], Assess, ["Service saturé", "Service over capacity", "Serviço sem capacidade", "خدمة فوق طاقتها"]),
            Self::GeneralAllClear => is(&[Other], AllClear, ["Fin d'alerte", "All clear", "Fim de alerta", "انتهاء الإنذار"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_event_has_a_category_a_response_and_a_name_of_its_own_in_each_language() {
        for language in ["fr", "en", "pt", "ar"] {
            let names: BTreeSet<_> = Event::ALL.iter().map(|event| event.label(language)).collect();
            assert_eq!(names.len(), Event::ALL.len(), "{language}");
            assert!(names.iter().all(|name| !name.is_empty() && name.trim() == *name));
        }
        assert!(Event::ALL.iter().all(|event| !event.categories().is_empty()));
        assert!(Event::ALL.iter().all(|e| e.label("ar").chars().all(|c| !c.is_ascii_alphabetic())));
    }

    #[test]
    fn labels_follow_the_primary_language_and_fall_back_to_french() {
        assert_eq!(Event::SeaShipwreck.label("pt-CV"), "Naufrágio");
        assert_eq!(Event::SeaShipwreck.label("EN"), "Shipwreck");
        assert_eq!(Event::SeaShipwreck.label("wo"), "Naufrage");
    }

    #[test]
    fn words_stay_neutral() {
        for event in Event::ALL {
            for language in ["fr", "en", "pt", "ar"] {
                let label = event.label(language).to_lowercase();
                for word in ["illegal", "illégal", "ilegal", "clandestin", "irregular", "irrégul", "غير شرعي"]
                {
                    assert!(!label.contains(word), "{event}: {label}");
                }
            }
        }
    }

    #[test]
    fn codes_read_back_and_only_two_events_are_restricted() {
        for event in Event::ALL {
            assert_eq!(event.as_str().parse(), Ok(*event));
            assert_eq!(Event::from_number(event.number()), Some(*event));
        }
        let restricted: Vec<_> = Event::ALL.iter().filter(|e| e.restricted_by_default()).map(|e| e.as_str()).collect();
        assert_eq!(restricted, ["land.arrests_raids", "route.shift"]);
    }
}
