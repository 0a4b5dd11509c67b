"""Common English first names, for the people in synthetic chats."""

from __future__ import annotations

_NAMES = """
Aaron Abby Adam Adrian Agnes Alan Albert Alex Alice Alison Amanda Amber Amy Andrea Andrew Angela
Anita Ann Anna Anthony Arthur Ashley Audrey Barbara Beatrice Ben Bella Bernard Beth Betty Bill Bob
Brandon Brenda Brian Bruce Carl Carla Carlos Carol Cathy Charles Charlie Charlotte Cheryl Chloe
Chris Christine Claire Clara Colin Connor Craig Crystal Cynthia Daisy Dan Daniel David Dawn Dean
Deborah Dennis Derek Diana Diane Donald Donna Doris Dorothy Doug Dylan Edgar Edith Edward Eileen
Elaine Eleanor Elena Elizabeth Ellen Emily Emma Eric Erica Ethan Eva Evelyn Felix Fiona Frances
Frank Fred Gail Gary George Gerald Gina Gloria Gordon Grace Graham Greg Hannah Harold Harry Harvey
Hazel Heather Helen Henry Holly Howard Hugh Ian Irene Isaac Isabel Ivan Jack Jacob Jake James Jamie
Jane Janet Jason Jay Jean Jeff Jennifer Jeremy Jerry Jessica Jill Jim Jo Joan Joe John Jonathan
Jordan Joseph Joshua Joyce Juan Judy Julia Julie June Justin Karen Kate Katherine Kathleen Keith
Kelly Ken Kevin Kim Kyle Larry Laura Lauren Lee Leo Leon Leonard Lewis Lily Linda Lisa Liz Logan
Louis Louise Lucas Lucy Luke Lydia Lynn Maggie Marco Margaret Maria Marie Marilyn Mark Martha Martin
Mary Mason Matt Matthew Maureen Max Megan Melissa Michael Michelle Mike Miles Molly Monica Nancy
Naomi Natalie Nathan Neil Nicholas Nicole Nina Noah Nora Norman Oliver Olivia Oscar Owen Pam
Patricia Patrick Paul Paula Peggy Penny Peter Phil Philip Phoebe Rachel Ralph Ray Rebecca Rita
Robert Robin Roger Ron Rosa Rose Roy Russell Ruth Ryan Sally Sam Samantha Samuel Sandra Sara Sarah
Scott Sean Sharon Sheila Shirley Simon Sofia Sophie Stella Stephen Steve Stuart Sue Susan Sylvia
Tara Ted Teresa Terry Thomas Tim Tina Todd Tom Tony Tracy Tyler Valerie Vanessa Vera Veronica Victor
Vincent Virginia Walter Wayne Wendy William Zach Zoe
"""

FIRST_NAMES = tuple(_NAMES.split())
